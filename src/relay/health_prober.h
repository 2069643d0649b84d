// health_prober.h: looks after the targets of the agents that one loop owns: probes them (target_probe.h) and writes on the board and into
// the log what it means for their routes. Routes with the same agent, target and path share one probe.
//
// When: at once after an agent has connected and after a route has changed, then every interval (a fifth more or less), never while
// the agent is away; an agent that stays away for kAwayGrace makes its routes unhealthy. However many targets there are, probes
// don't begin more often than `most_per_second`, so the interval stretches; and at most kProbesInFlight run at once. One timer.
// Lives on its loop.
#pragma once
#include <functional>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/log.h"
#include "relay/health_check.h"
#include "relay/route_health.h"
#include "relay/target_probe.h"

namespace sallyport::relay {

inline constexpr std::chrono::seconds kAwayGrace{5};  // a change of networks at home, or a restart of the agent, is no news
inline constexpr std::size_t kProbesInFlight = 32;    // of one loop: what doesn't answer takes 10 s
inline constexpr double kProbesPerSecond = 50;        // of a relay; some 0.1 ms of work each

class HealthProber {
public:
    struct Home {  // what it asks for; both on the agent's owner loop
        std::function<Result<StreamPtr>(const std::string& agent_id, const OpenRequest&, Stream::Owner&)> open;
        std::function<std::string(const std::string& agent_id, const std::string& target)> host_of;
    };

    HealthProber(Loop& loop, Log& log, HealthBoard& board, Home home, double most_per_second);
    ~HealthProber();

    // 0: no probes; agents that are away are noticed all the same.
    void set_interval(std::chrono::milliseconds interval);

    // The agent is connected, or again. What of its routes is to be looked after is known from follow().
    // `routes_apart`: two routes with one target may lead to two services (an SSH client).
    void on_online(const std::string& agent_id, const std::string& name, bool routes_apart = false);
    // What it serves has changed: what fails is looked at now.
    void look_at_failing(const std::string& agent_id);
    void on_away(const std::string& agent_id);
    // What the directory has now of an agent that was connected at least once. Nothing: forget it.
    void follow(const std::string& agent_id, const std::vector<HealthCheck>& checks);
    bool knows(const std::string& agent_id) const { return watched_.contains(agent_id); }
    std::vector<std::string> known() const;

    // Of probes, as it is now with so many targets.
    std::chrono::milliseconds effective_interval() const;

private:
    struct Watched;
    struct Spot;  // an agent's target and path
    using Due = std::set<std::pair<TimePoint, Spot*>>;

    void schedule(Spot& spot, TimePoint at);
    void unschedule(Spot& spot);
    void cancel_probe(Spot& spot);
    void arm();
    void run();
    void begin_probe(Spot& spot);
    void on_done(Spot& spot, const TargetProbe::Verdict& verdict);
    void set_health(Spot& spot, RouteHealth health);
    void look_again_after(Spot& spot);
    std::string request_of(const Spot& spot) const;

    Loop& loop_;
    Log& log_;
    HealthBoard& board_;
    const Home home_;
    const double most_per_second_;
    std::chrono::milliseconds interval_{0};
    std::unordered_map<std::string, std::unique_ptr<Watched>> watched_;  // by agent id
    Due due_;
    std::size_t online_spots_ = 0;
    std::size_t in_flight_ = 0;
    TimePoint next_start_{};  // what was begun so far has used up the time until then
    std::minstd_rand random_;
    Timer timer_;
};

}  // namespace sallyport::relay
