// route_health.h: what is known of the way to a route's service, and where: the board on which the loops write what they found out
// (health_prober.h), for status, API and metrics. The board may be used by any thread.
#pragma once
#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>

#include "base/clock.h"

namespace sallyport::relay {

// The first part of the way that fails, seen from visitors.
enum class HealthHop : std::uint8_t { relay, agent, target };
inline constexpr std::array kHealthHops{HealthHop::relay, HealthHop::agent, HealthHop::target};

constexpr std::string_view name_of(HealthHop hop) {
    switch (hop) {
        case HealthHop::relay: return "relay";
        case HealthHop::agent: return "agent";
        case HealthHop::target: return "target";
    }
    return "relay";
}

struct RouteHealth {
    enum class State : std::uint8_t { unknown, healthy, unhealthy };  // unknown: not probed yet, or probing is off
    State state = State::unknown;
    HealthHop hop = HealthHop::target;       // of unhealthy, like cause and detail
    std::string_view cause{};                // a literal: target_refused, target_timeout, agent_offline, … as in error pages
    std::string detail{};                    // for the owner; from the other side: escape before showing
    WallTime since{};                        // of this state and cause
    std::optional<WallTime> probed_at{};     // the last probe that came to an end
    std::chrono::milliseconds took{0};       // until its verdict
};

constexpr std::string_view name_of(RouteHealth::State state) {
    switch (state) {
        case RouteHealth::State::healthy: return "healthy";
        case RouteHealth::State::unhealthy: return "unhealthy";
        case RouteHealth::State::unknown: break;
    }
    return "unknown";
}

class HealthBoard {
public:
    // `label`: hostname and path prefix, as in metrics.
    void set(const std::string& route_id, const std::string& label, const RouteHealth& health);
    void drop(const std::string& route_id);
    void set_online(const std::string& agent_id, bool online);
    // Nothing: its agent isn't connected, and was not since the start.
    std::optional<RouteHealth> find(const std::string& route_id, const std::string& agent_id) const;
    void for_each(const std::function<void(const std::string& label, const RouteHealth& health)>& see) const;

    void count_probe(RouteHealth::State verdict) { ++(verdict == RouteHealth::State::healthy ? healthy_ : unhealthy_); }
    std::uint64_t probes(RouteHealth::State verdict) const { return verdict == RouteHealth::State::healthy ? healthy_ : unhealthy_; }

private:
    struct Entry {
        std::string label;
        RouteHealth health;
    };
    mutable std::mutex mutex_;
    std::unordered_map<std::string, Entry> entries_;
    std::unordered_set<std::string> online_;  // agents
    std::atomic<std::uint64_t> healthy_{0};
    std::atomic<std::uint64_t> unhealthy_{0};
};

}  // namespace sallyport::relay
