#include "relay/overload_watch.h"

namespace sallyport::relay {
namespace {

constexpr std::chrono::milliseconds kLookEvery{1000};

}  // namespace

OverloadWatch::OverloadWatch(Loop& loop, Log& log, std::vector<Limit> limits)
    : loop_(loop), log_(log), limits_(std::move(limits)), episodes_(limits_.size()), timer_(loop, [this] { look(); }) {
    timer_.start(kLookEvery);
}

void OverloadWatch::look() {
    for (std::size_t i = 0; i < limits_.size(); ++i) look_at(limits_[i], episodes_[i]);
    timer_.start(kLookEvery);
}

void OverloadWatch::look_at(const Limit& limit, Episode& episode) {
    const std::uint64_t refused = limit.refused();
    const TimePoint now = loop_.now();
    if (refused != episode.seen) {
        if (!episode.under_way) {
            episode.refused_before = episode.seen;
            episode.began = now;
            log_.warn("relay.limit_reached", {{"limit", limit.name}, {"bound", limit.bound()}, {"peer", limit.last ? limit.last() : ""}});
        }
        episode.under_way = true;
        episode.last = now;
        episode.seen = refused;
    } else if (episode.under_way && now - episode.last >= kCalm) {
        episode.under_way = false;
        const auto took = std::chrono::duration_cast<std::chrono::seconds>(episode.last - episode.began);
        log_.info("relay.limit_eased", {{"limit", limit.name}, {"refused", episode.seen - episode.refused_before}, {"duration_s", took.count()}});
    }
}

}  // namespace sallyport::relay
