// agent.h: the home's side of a tunnel: keeps one tunnel to the relay up, dials again when it is gone, and serves its
// streams from the targets it allows. A connection that is lost or silent is replaced within the resume window without
// the streams noticing: an attempt at once, then one each second, the first that works wins. Lives on one loop; any number of agents may share one, and one Workers. It never
// gives up by itself.
//
// start() once; stop() once, then destroy it after `stopped` (Loop::dispose if inside that call). What it is given
// outlives it.
#pragma once
#include <chrono>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "agent/back_off.h"
#include "agent/origin_dialler.h"
#include "agent/origin_pipe.h"
#include "agent/origin_trust.h"
#include "agent/relay_dialler.h"
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
    // brought.
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
    virtual void on_agent_connected(const Url& relay) = 0;
    virtual void on_agent_routes(
        const std::vector<RouteNotice>& routes) = 0;  // each time the list changed; contents unchecked

protected:
    ~AgentObserver() = default;
};

class Agent final : private Tunnel::Owner {
public:
    Agent(Loop& loop, Workers& workers, Log& log, AgentSetup setup, AgentObserver* observer = nullptr);
    ~Agent();
    Agent(const Agent&) = delete;
    Agent& operator=(const Agent&) = delete;

    Result<> load();  // what was noted about https targets; before start()
    void start();
    // In order: the relay is told, open streams have until `patience` to end, then the tunnel is closed. Calls
    // `stopped` once, maybe inside this call. A second stop() with less patience hurries the first.
    void stop(std::chrono::milliseconds patience, std::function<void()> stopped);

    bool is_connected() const { return ready_ && tunnel_ && tunnel_->connected(); }
    std::size_t open_streams() const { return serving_.size(); }

private:
    struct Serving;

    struct Attempt {
        std::uint64_t number;
        std::unique_ptr<RelayDialler> dialler;
    };

    void dial();
    void begin_attempt();
    Result<SessionState> ask_session();
    void on_dialled(std::uint64_t number, std::expected<OpenedConnection, DialFailure> result);
    void on_dial_failed(const DialFailure& failure);
    void tell_of_failure(const DialFailure& failure);
    void dial_again_in(std::chrono::milliseconds delay);
    void drop_attempts();
    double random() const;
    void finish_enrolment();

    void begin_session(OpenedConnection connection);
    void resume_session(OpenedConnection connection);
    bool can_resume() const { return setup_.tunnel.resume_window.count() > 0; }
    Duration patience_with_silence() const;
    bool is_silent() const;
    void look_for_silence();
    void on_connection_lost(const Error& reason);
    std::chrono::milliseconds until_next_attempt() const;

    void on_tunnel_ready() override;
    void on_tunnel_control(std::string_view line) override;
    void on_tunnel_stream(OpenRequest request, std::unique_ptr<IncomingStream> stream) override;
    void on_tunnel_lost(const Error& reason) override { on_connection_lost(reason); }
    void on_tunnel_closed(const Error& reason) override;

    void on_routes(std::vector<RouteNotice> routes);
    void send_targets();

    void serve(const std::shared_ptr<Serving*>& handle, std::expected<Target, Refusal> target);
    void on_origin(Serving& serving, std::expected<TransportPtr, Refusal> origin);
    void refuse(Serving& serving, const Refusal& refusal);
    void warn_of_unknown_target(std::string_view name, const Error& why);
    void end(OriginPipe& connection);

    void stop_if_idle();
    void stopped();

    Loop& loop_;
    Workers& workers_;
    Log& log_;
    AgentSetup setup_;
    AgentObserver* observer_;
    OriginTrust trust_;
    TargetScout scout_;
    BackOff back_off_;
    Timer redial_;
    Timer patience_;
    Timer silence_;
    std::deque<Attempt> dialling_;  // oldest first; more than one only to resume
    std::uint64_t attempt_number_ = 0;
    TimePoint attempted_at_{};
    std::unique_ptr<Tunnel> tunnel_;
    bool refused_ = false;  // what ended tunnel_ needs a person
    std::string session_;                      // of tunnel_
    std::optional<OpenedConnection> instead_;  // of tunnel_, once that has reported its end
    std::unordered_map<OriginPipe*, std::unique_ptr<Serving>> serving_;

    bool ready_ = false;  // hello was sent
    TimePoint connected_at_{};  // the session's beginning
    TimePoint lost_at_{};       // the connection's end, while tunnel_ has none
    std::vector<RouteNotice> routes_;
    std::string last_failure_;  // so that the same one is not told each time
    TimePoint last_failure_at_{};
    std::uint64_t attempts_ = 0;  // since the last connection
    std::map<std::string, TimePoint, std::less<>>
        warned_of_;  // targets that are not in the table, and when that was told
    bool stopping_ = false;
    std::function<void()> stopped_;
};

}  // namespace sallyport
