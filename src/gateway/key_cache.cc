#include "gateway/key_cache.h"

#include <algorithm>

namespace sallyport::gateway {

KeyCache::Text KeyCache::find(std::string_view user, TimePoint now) {
    const auto place = kept_.find(user);
    if (place == kept_.end()) return nullptr;
    if (now < place->second.until) return place->second.text;
    drop(place);
    return nullptr;
}

void KeyCache::keep(std::string_view user, std::string text, TimePoint now) {
    failures_.erase(std::string(user));
    forget(user);
    if (kept_for_ <= Duration::zero() || text.size() > kMostOctets) return;
    make_room(now, text.size());
    octets_ += text.size();
    kept_.emplace(std::string(user), Kept{std::make_shared<const std::string>(std::move(text)), now + kept_for_});
}

void KeyCache::forget(std::string_view user) {
    if (const auto place = kept_.find(user); place != kept_.end()) drop(place);
}

void KeyCache::drop(KeptByUser::iterator place) {
    octets_ -= place->second.text->size();
    kept_.erase(place);
}

// What is too old goes first, then what would be next.
void KeyCache::make_room(TimePoint now, ByteCount octets) {
    if (kept_.size() < kMostUsers && octets_ + octets <= kMostOctets) return;
    for (auto place = kept_.begin(); place != kept_.end();) {
        const auto next = std::next(place);
        if (place->second.until <= now) drop(place);
        place = next;
    }
    while (!kept_.empty() && (kept_.size() >= kMostUsers || octets_ + octets > kMostOctets))
        drop(std::ranges::min_element(kept_, {}, [](const auto& entry) { return entry.second.until; }));
}

void KeyCache::note_failure(std::string_view user, TimePoint now) {
    if (failures_.size() >= kMostUsers) std::erase_if(failures_, [&](const auto& entry) { return entry.second.back() + kFailureWindow <= now; });
    if (failures_.size() >= kMostUsers && !failures_.contains(user)) failures_.erase(failures_.begin());
    auto& times = failures_[std::string(user)];
    if (times.size() == kMostFailures) times.erase(times.begin());
    times.push_back(now);
}

bool KeyCache::may_fetch(std::string_view user, TimePoint now) {
    const auto place = failures_.find(user);
    if (place == failures_.end()) return true;
    std::erase_if(place->second, [&](TimePoint at) { return at + kFailureWindow <= now; });
    if (place->second.size() >= kMostFailures) return false;
    if (place->second.empty()) failures_.erase(place);
    return true;
}

}  // namespace sallyport::gateway
