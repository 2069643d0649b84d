#include "relay/route_health.h"

namespace sallyport::relay {

void HealthBoard::set(const std::string& route_id, const std::string& label, const RouteHealth& health) {
    const std::lock_guard lock(mutex_);
    entries_.insert_or_assign(route_id, Entry{label, health});
}

void HealthBoard::drop(const std::string& route_id) {
    const std::lock_guard lock(mutex_);
    entries_.erase(route_id);
}

void HealthBoard::set_online(const std::string& agent_id, bool online) {
    const std::lock_guard lock(mutex_);
    if (online) online_.insert(agent_id);
    else online_.erase(agent_id);
}

std::optional<RouteHealth> HealthBoard::find(const std::string& route_id, const std::string& agent_id) const {
    const std::lock_guard lock(mutex_);
    if (const auto found = entries_.find(route_id); found != entries_.end()) return found->second.health;
    return online_.contains(agent_id) ? std::optional(RouteHealth{}) : std::nullopt;
}

void HealthBoard::for_each(const std::function<void(const std::string&, const RouteHealth&)>& see) const {
    const std::lock_guard lock(mutex_);
    for (const auto& [id, entry] : entries_) see(entry.label, entry.health);
}

}  // namespace sallyport::relay
