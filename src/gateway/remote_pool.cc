#include "gateway/remote_pool.h"

#include <algorithm>

namespace sallyport::gateway {
namespace {

constexpr std::chrono::seconds kLookEvery{1};

}  // namespace

RemotePool::RemotePool(Loop& loop, const Limits& limits) : loop_(loop), limits_(limits), timer_(loop, [this] { look(); }) {}

RemotePool::~RemotePool() { clear(); }

RemoteLinkPtr RemotePool::take(const SessionHolder& holder) {
    const auto place = spares_.find(holder);
    if (place == spares_.end()) return nullptr;
    auto& spares = place->second;
    const auto ready = std::ranges::find_if(spares, [](const Spare& spare) { return spare.link->ready(); });
    const auto chosen = ready == spares.end() ? spares.begin() : ready;
    RemoteLinkPtr link = chosen->link;
    let_go(*chosen);
    spares.erase(chosen);
    if (spares.empty()) spares_.erase(place);
    return link;
}

bool RemotePool::wants(const SessionHolder& holder) const {
    if (limits_.keep <= std::chrono::milliseconds::zero() || size_ >= limits_.in_all) return false;
    const auto place = spares_.find(holder);
    return (place == spares_.end() ? 0 : place->second.size()) < limits_.of_holder;
}

void RemotePool::put(const SessionHolder& holder, RemoteLinkPtr link, std::chrono::milliseconds keep) {
    if (!wants(holder) || link->over()) return;
    link->add(*this);
    spares_[holder].push_back({std::move(link), loop_.now() + std::min<Duration>(limits_.keep, keep)});
    ++size_;
    if (!timer_.running()) timer_.start(kLookEvery);
}

void RemotePool::let_go(Spare& spare) {
    spare.link->remove(*this);
    --size_;
}

void RemotePool::forget(const SessionHolder& holder) {
    const auto place = spares_.find(holder);
    if (place == spares_.end()) return;
    for (Spare& spare : place->second) let_go(spare);
    spares_.erase(place);
}

void RemotePool::clear() {
    while (!spares_.empty()) forget(SessionHolder(spares_.begin()->first));
}

// Kept until the end of the turn: its own call stands above us.
void RemotePool::on_link_over(RemoteLink& link, const RemoteFailure&) {
    for (auto place = spares_.begin(); place != spares_.end(); ++place) {
        auto& spares = place->second;
        const auto spare = std::ranges::find_if(spares, [&](const Spare& each) { return each.link.get() == &link; });
        if (spare == spares.end()) continue;
        loop_.dispose(std::make_unique<RemoteLinkPtr>(spare->link));
        let_go(*spare);
        spares.erase(spare);
        if (spares.empty()) spares_.erase(place);
        return;
    }
}

void RemotePool::look() {
    for (auto place = spares_.begin(); place != spares_.end();) {
        auto& spares = place->second;
        while (!spares.empty() && spares.front().until <= loop_.now()) {
            let_go(spares.front());
            spares.pop_front();
        }
        place = spares.empty() ? spares_.erase(place) : std::next(place);
    }
    if (!spares_.empty()) timer_.start(kLookEvery);
}

}  // namespace sallyport::gateway
