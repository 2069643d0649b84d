// agent.h: the home's side: keeps one tunnel to the relay up, dials again when it is gone, and serves its streams from the
// targets it allows. It never gives up by itself. Lives on one loop; any number of agents may share one, and one Workers.
//
// - A connection that is lost or silent is replaced within the resume window without the streams noticing: an attempt at
//   once, then one each second, the first that works wins.
// - A relay that drains keeps its tunnel (retired, a few at most) while a new one is dialled beside, as often: behind the
//   same address another process listens already, or will soon.
// - Otherwise one attempt at a time with full-jitter back-off, which begins anew after a minute of connection.
//
// start() once; stop() once, then destroy it after `stopped` (Loop::dispose if inside that call). What it is given
// outlives it.
#pragma once
#include <chrono>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "agent/back_off.h"
#include "agent/dial_failure_log.h"
#include "agent/origin_trust.h"
#include "agent/relay_dialler.h"
#include "agent/relay_tunnel.h"
#include "agent/stream_server.h"
#include "agent/target_scout.h"
#include "agent/targets.h"
#include "base/log.h"
#include "net/worker.h"
#include "tunnel/tunnel.h"
#include "wire/control_message.h"

namespace sallyport {

struct AgentSetup {
    RelayEndpoint relay;
    // After the relay has answered a handshake that carried relay.enrolment: run on a worker, keeps what enrolling
    // brought. Nobody is told "connected" before it has returned.
    std::function<void()> keep_enrolment;
    TargetTable targets{{built_in_target()}, TargetTable::AnyTarget::refused};
    std::optional<StateFolder> state;  // where keys of https targets are noted; without it in memory
    TunnelSettings tunnel;
    RelayDialler::Limits dial;
    OriginLimits origin;
    std::chrono::milliseconds reconnect_base{1'000};
    std::chrono::milliseconds reconnect_max{60'000};
    std::chrono::milliseconds request_timeout{30'000};  // announced; the relay's edge enforces both
    std::uint32_t concurrency_limit = 100;
    std::function<double()> random;  // uniform in [0, 1); empty: unpredictable
};

// What a person at home wants to see; on the loop.
class AgentObserver {
public:
    // The relay has confirmed it, and the next start will find it again.
    virtual void on_agent_connected(const Url& relay) = 0;
    // After that: the first list, and each time it changed; contents unchecked.
    virtual void on_agent_routes(const std::vector<RouteNotice>& routes) = 0;

protected:
    ~AgentObserver() = default;
};

class Agent final : private RelayTunnel::Owner {
public:
    static constexpr std::size_t kMostRetired = 4;  // of relays that drain; the oldest beyond is closed

    Agent(Loop& loop, Workers& workers, Log& log, AgentSetup setup, AgentObserver* observer = nullptr);
    ~Agent();
    Agent(const Agent&) = delete;
    Agent& operator=(const Agent&) = delete;

    Result<> load();  // what was noted about https targets; before start()
    void start();
    // In order: the relay is told, open streams have until `patience` to end, then the tunnel is closed. Calls
    // `stopped` once, maybe inside this call. A second stop() with less patience hurries the first.
    void stop(std::chrono::milliseconds patience, std::function<void()> stopped);

    // The machine's addresses or routes have changed, or it has slept: a live tunnel is asked for a sign of life; without
    // one an attempt begins now, whatever wait was under way. `why` goes into the log.
    void check_network(std::string_view why);

    bool is_connected() const { return current_ && current_->confirmed() && current_->connected(); }
    std::size_t open_streams() const { return streams_.open_streams(); }
    std::size_t retired_tunnels() const { return retired_.size(); }

private:
    using TunnelPtr = std::unique_ptr<RelayTunnel>;
    struct Attempt {
        std::uint64_t number;
        TimePoint began;
        std::unique_ptr<RelayDialler> dialler;
        std::optional<TimePoint> asked;  // for the session
    };

    void dial();
    bool in_a_hurry() const;
    bool is_worth_waiting();
    void drop_unreached();
    void begin_attempt();
    Result<SessionState> ask_session(std::uint64_t number);
    void on_dialled(std::uint64_t number, std::expected<OpenedConnection, DialFailure> result);
    void on_dial_failed(const DialFailure& failure);
    void dial_again_in(std::chrono::milliseconds delay);
    void dial_at_once();
    void drop_attempts();
    double random() const;
    std::chrono::milliseconds until_next_attempt() const;

    void finish_enrolment();
    void begin_session(OpenedConnection connection);
    void resume_session(OpenedConnection connection);
    void retire_current(std::chrono::milliseconds deadline);
    void tell();

    HelloMessage make_hello() override;
    void on_relay_confirmed(RelayTunnel& tunnel) override;
    void on_relay_message(RelayTunnel& tunnel, ControlMessage message) override;
    void on_relay_message_malformed(const Error& error) override;
    void on_relay_stream(OpenRequest request, std::unique_ptr<IncomingStream> stream) override;
    void on_relay_silent(RelayTunnel& tunnel) override;
    void on_relay_lost(RelayTunnel& tunnel, const Error& reason) override;
    void on_relay_closed(RelayTunnel& tunnel, const Error& reason) override;
    void on_retired_closed(const RelayTunnel& tunnel, const Error& reason);

    void on_routes(std::vector<RouteNotice> routes);
    void send_targets();

    template <class Call>
    void for_each_tunnel(Call call) {
        for (const TunnelPtr& tunnel : retired_) call(*tunnel);
        if (current_) call(*current_);
    }
    void stop_if_idle();
    void stopped();

    Loop& loop_;
    Workers& workers_;
    Log& log_;
    AgentSetup setup_;
    AgentObserver* observer_;
    DialFailureLog failures_;
    OriginTrust trust_;
    TargetScout scout_;
    StreamServer streams_;
    BackOff back_off_;
    Timer redial_;
    Timer patience_;
    std::deque<Attempt> dialling_;  // oldest first; more than one only in a hurry
    std::uint64_t attempt_number_ = 0;
    std::uint64_t attempts_ = 0;  // since the last connection
    TimePoint attempted_at_{};
    TimePoint hurry_until_{};  // a relay that drained is expected to be back by then

    TunnelPtr current_;
    std::deque<TunnelPtr> retired_;  // oldest first: of relays that drain, and what was closed and has yet to say so
    bool refused_ = false;           // what ended current_ needs a person

    bool announced_ = false;  // current_ was called connected
    std::vector<RouteNotice> routes_;
    bool routes_told_ = false;
    std::shared_ptr<Agent*> keeping_;  // enrolment is on its way to the disk; null inside once this is gone
    bool stopping_ = false;
    std::function<void()> stopped_;
};

}  // namespace sallyport
