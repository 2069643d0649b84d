// terminals.h: all interactive sessions: starts them (mosh-server on the remote and mosh-client here, else a pty over SSH), keeps them
// with their connection to the remote while their users are away, and cleans up behind them. One log line, gateway.session, when
// one ends. Lives on the gateway's loop.
#pragma once
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "gateway/counters.h"
#include "gateway/mosh_engine.h"
#include "gateway/remote_command.h"
#include "gateway/session_registry.h"
#include "config/gateway_config.h"

namespace sallyport::gateway {

struct TerminalWish {
    SessionHolder holder;
    std::string ip;       // of the user
    std::string term;
    TerminalSize size;
    std::vector<std::pair<std::string, std::string>> variables;
    std::string command;  // "": the login shell
    bool agent = false;
};

class Terminals {
public:
    Terminals(Loop& loop, Log& log, const GatewayConfig& config, Counters& counters);
    ~Terminals();
    Terminals(const Terminals&) = delete;
    Terminals& operator=(const Terminals&) = delete;

    // A session being started; destroying it (Loop::dispose) takes it back.
    class Opening;
    using OnOpen = std::function<void(TerminalSession&)>;  // started, nobody attached yet; never inside open()
    std::unique_ptr<Opening> open(RemoteLinkPtr link, TerminalWish wish, OnOpen on_open);
    bool has_room(const SessionHolder& holder) const { return registry_.has_room(holder.user); }

    std::vector<TerminalSession*> waiting(const SessionHolder& holder) const;
    bool still_waiting(const TerminalSession* session, const SessionHolder& holder) const { return registry_.still_waiting(session, holder); }
    void left(const SessionHolder& holder) { registry_.enforce_detached(holder); }

    RemoteLinkPtr link_of(const TerminalSession& session) const;

    // Those who look, or are about to, by whose sessions.
    void add_client(const SessionHolder& holder, SessionClient& client) { clients_.emplace(&client, holder); }
    void remove_client(SessionClient& client) { clients_.erase(&client); }
    template <class Visit>
    void each_client(const SessionHolder& holder, Visit&& visit) {
        for (const auto& [client, of] : clients_)
            if (of == holder) visit(*client);
    }

    // Hangs up all: nobody could come back to them once this process is gone. `stopped` after the last, perhaps inside the call.
    void stop(std::function<void()> stopped);

    std::size_t size() const { return registry_.size(); }
    std::size_t detached() const { return registry_.detached(); }
    std::vector<Snapshot::Line> lines() const;

private:
    class Host;
    void start(RemoteLinkPtr link, TerminalWish wish, std::unique_ptr<TerminalEngine> engine, std::string_view notice, const OnOpen& on_open);
    void ended(Host& host, TerminalSession& session);
    void run_errand(const RemoteLinkPtr& link, RemoteCommand::Request request);
    void look_whether_stopped();
    Loop& loop_;
    Log& log_;
    const GatewayConfig& config_;
    Counters& counters_;
    std::uint64_t started_ = 0;
    std::function<void()> stopped_;
    std::map<SessionClient*, SessionHolder> clients_;
    ProcessReaper reaper_;
    std::list<std::unique_ptr<RemoteCommand>> errands_;  // cleaning up at the remote
    std::map<const TerminalSession*, std::unique_ptr<Host>> hosts_;  // outlive their sessions
    SessionRegistry registry_;
};

class Terminals::Opening {
public:
    Opening(Terminals& terminals, RemoteLinkPtr link, TerminalWish wish, OnOpen on_open);

private:
    void start_mosh();
    void look();
    void go_on_with_mosh();
    void fall_back(std::string_view notice);
    Terminals& terminals_;
    RemoteLinkPtr link_;
    TerminalWish wish_;
    OnOpen on_open_;
    std::string nonce_;
    MoshServerAnswer answer_;
    std::unique_ptr<RemoteCommand> command_;
    Timer later_;
};

}  // namespace sallyport::gateway
