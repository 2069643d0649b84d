// ssh_agent.h: the home's side where the far end is an SSH server: keeps its forwards up and serves what arrives on them from
// targets of its own configuration; no string of the server decides where a stream leads. The sibling of agent.h for
// `transport: ssh`. Lives on one loop.
//
// start() once; stop() once, then destroy it after `stopped` (Loop::dispose if inside that call). What it is given outlives it.
#pragma once
#include <functional>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "agent/ssh_keeper.h"
#include "agent/stream_server.h"
#include "agent/target_scout.h"
#include "agent/targets.h"
#include "agent/transport_stream.h"
#include "config/ssh_config.h"

namespace sallyport {

struct SshAgentSetup {
    std::vector<SshServer> servers;
    SshMemory memory;
    ServersUp up = ServersUp::all;
    TargetTable targets{{built_in_target()}, TargetTable::AnyTarget::refused};
    std::optional<StateFolder> state{};
    OriginLimits origin{};
    SshKeeper::Settings keeper{};  // without `random`: unpredictable
};

// What a person at home wants to see; on the loop.
class SshAgentObserver {
public:
    virtual void on_ssh_connected(const SshServer& server, const SshLink::Up& up) = 0;

protected:
    ~SshAgentObserver() = default;
};

class SshAgent final : private SshKeeper::Owner {
public:
    SshAgent(Loop& loop, Workers& workers, Log& log, SshAgentSetup setup, SshAgentObserver* observer = nullptr);
    ~SshAgent();
    SshAgent(const SshAgent&) = delete;
    SshAgent& operator=(const SshAgent&) = delete;

    Result<> load();  // before start()
    void start();
    // Nothing new is served; open streams have until `patience` to end, then the connections are closed. Calls `stopped`
    // once, maybe inside this call. A second stop() with less patience hurries the first.
    void stop(std::chrono::milliseconds patience, std::function<void()> stopped);
    void check_network(std::string_view why);

    bool is_connected() const;  // every server, or the one that is wanted
    std::size_t open_streams() const { return streams_.open_streams(); }

private:
    std::unique_ptr<SshLink> make_link(const SshServer& server, bool worked, SshLink::Owner& owner);
    void start_next();
    void stop_if_idle();
    void finish();

    void on_server_up(SshKeeper& keeper, const SshLink::Up& up) override;
    void on_server_down(SshKeeper& keeper) override;
    void on_server_stream(SshKeeper& keeper, std::size_t forward, std::unique_ptr<IncomingStream> stream) override;

    Loop& loop_;
    Workers& workers_;
    Log& log_;
    SshAgentSetup setup_;
    SshAgentObserver* observer_;
    OriginTrust trust_;
    TransportStreams connections_;
    TargetScout scout_;
    StreamServer streams_;
    std::vector<std::unique_ptr<SshKeeper>> keepers_;
    Timer patience_;
    bool stopping_ = false;
    std::function<void()> stopped_;
};

}  // namespace sallyport
