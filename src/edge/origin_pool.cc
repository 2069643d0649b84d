#include "edge/origin_pool.h"

namespace sallyport {

std::unique_ptr<OriginConnection> OriginPool::take(std::string_view agent_id, std::string_view target, std::string_view visitor) {
    for (std::size_t i = idle_.size(); i-- > 0;) {
        if (idle_[i].origin->dead()) {
            drop(i);
        } else if (idle_[i].origin->leads_to(agent_id, target) && idle_[i].visitor == visitor) {
            auto found = std::move(idle_[i].origin);
            idle_.erase(idle_.begin() + static_cast<std::ptrdiff_t>(i));
            return found;
        }
    }
    return nullptr;
}

void OriginPool::give(std::unique_ptr<OriginConnection> origin, std::string_view visitor) {
    if (idle_.size() >= most_) drop(0);
    idle_.push_back({std::move(origin), std::string(visitor)});
}

void OriginPool::trim(TimePoint since, std::size_t kept) {
    for (std::size_t i = idle_.size(); i-- > 0;) {
        const bool spare = idle_.size() - i > kept && idle_[i].origin->idle_since() < since;
        if (idle_[i].origin->dead() || spare) drop(i);
    }
}

void OriginPool::clear() {
    while (!idle_.empty()) drop(idle_.size() - 1);
}

void OriginPool::drop(std::size_t place) {
    farewells_.take(std::move(idle_[place].origin));
    idle_.erase(idle_.begin() + static_cast<std::ptrdiff_t>(place));
}

}  // namespace sallyport
