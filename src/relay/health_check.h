// health_check.h: how one route is looked after: what its directory says of it.
#pragma once
#include <string>

namespace sallyport::relay {

struct HealthCheck {
    std::string route_id;
    std::string label;   // hostname and path prefix, or "tcp :1883", for log and metrics
    std::string target;
    std::string path{};  // what is asked for; empty: a connection is enough
    std::string host{};  // Host of that request; empty: the target's own, as the agent says it
    bool operator==(const HealthCheck&) const = default;
};

}  // namespace sallyport::relay
