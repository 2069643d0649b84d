// ssh_keeper.h: keeps one SSH server's connection up: one attempt at a time, full-jitter back-off, slower where only a person
// can help, and what went wrong said in the log: at once when it is something new, now and then while it lasts. It never gives
// up by itself. Lives on one loop; destroying it ends the connection.
#pragma once
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "agent/back_off.h"
#include "agent/dial_failure_log.h"
#include "agent/ssh_link.h"
#include "agent/ssh_memory.h"
#include "agent/ssh_preflight.h"
#include "agent/ssh_public_look.h"
#include "agent/ssh_server.h"
#include "base/log.h"
#include "net/worker.h"

namespace sallyport {

class SshKeeper final : private SshLink::Owner {
public:
    class Owner {
    public:
        virtual void on_server_up(SshKeeper& keeper, const SshLink::Up& up) = 0;
        // It was up, or an attempt has failed. may_dial_at() is set; the next attempt waits for start().
        virtual void on_server_down(SshKeeper& keeper) = 0;
        virtual void on_server_stream(SshKeeper& keeper, std::size_t forward, std::unique_ptr<IncomingStream> stream) = 0;

    protected:
        ~Owner() = default;
    };
    using MakeLink = std::function<std::unique_ptr<SshLink>(const SshServer& server, bool worked, SshLink::Owner& owner)>;
    struct Settings {
        std::chrono::milliseconds reconnect_base{1'000};
        std::chrono::milliseconds reconnect_max{60'000};
        bool look_first = true;  // the pre-flight, until the first connection
        std::function<double()> random;  // uniform in [0, 1)
    };
    // The port of a session that the server believes to be alive is free any moment.
    static constexpr std::chrono::seconds kMostWhileTaken{10};

    SshKeeper(Loop& loop, Workers& workers, Log& log, SshServer server, SshMemory& memory, Settings settings, MakeLink make_link, Owner& owner);
    ~SshKeeper();
    SshKeeper(const SshKeeper&) = delete;
    SshKeeper& operator=(const SshKeeper&) = delete;

    void start();  // dials, now or at may_dial_at()
    void stop();   // what is under way is given up, a connection closed; start() begins anew
    // The network has changed.
    void check();

    // What the memory calls a server with its forwards.
    static std::string memory_of(const SshServerConfig& config);

    const SshServer& server() const { return server_; }
    bool up() const { return up_; }
    bool dialling() const { return preflight_ || (link_ && !up_) || redial_.running(); }
    TimePoint may_dial_at() const { return may_dial_at_; }

private:
    void dial();
    void connect();
    void let_go();
    void failed(const SshFailure& why);
    std::chrono::milliseconds delay_after(const SshFailure& why);
    void look_from_outside(const SshLink::Up& up);

    void on_link_up(const SshLink::Up& up) override;
    void on_link_stream(std::size_t forward, std::unique_ptr<IncomingStream> stream) override;
    void on_link_key_noted(std::string_view fingerprint) override;
    void on_link_notice(std::string_view event, std::string_view text) override;
    void on_link_closed(const SshFailure& why) override;
    void on_link_gone(SshLink& link) override;

    Loop& loop_;
    Workers& workers_;
    Log& log_;
    SshServer server_;
    SshMemory& memory_;
    const Settings settings_;
    MakeLink make_link_;
    Owner& owner_;
    DialFailureLog failures_;
    BackOff back_off_;
    Timer redial_;
    TimePoint may_dial_at_{};
    TimePoint up_at_{};
    std::uint64_t attempts_ = 0;  // since the last connection
    bool looked_ = false;
    bool refused_ = false;  // the last attempt, by what only a person can change
    bool up_ = false;
    std::unique_ptr<SshPreflight> preflight_;
    std::unique_ptr<SshLink> link_;
    std::vector<std::unique_ptr<SshLink>> leaving_;  // of no use any more, not yet gone
    std::vector<std::unique_ptr<SshPublicLook>> public_looks_;
    bool looked_from_outside_ = false;  // once in a program's life
};

}  // namespace sallyport
