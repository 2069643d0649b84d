#include "relay/retirement_clock.h"

namespace sallyport::relay {
namespace {

using namespace std::chrono_literals;

constexpr auto kLookEvery = 500ms;  // a wall clock that jumps tells nobody
constexpr auto kAskAgain = 5s;      // the store was busy, or away for a moment

}  // namespace

RetirementClock::RetirementClock(Loop& loop, OnDue on_due, WallNow wall)
    : on_due_(std::move(on_due)), wall_(std::move(wall)), timer_(loop, [this] { look(); }) {}

void RetirementClock::follow(const std::vector<store::Credential>& retiring) {
    std::map<std::string, Pending> still;
    for (const store::Credential& credential : retiring) {
        if (!credential.retires_at) continue;
        const auto known = pending_.find(credential.id.text);
        if (known != pending_.end() && known->second.at == *credential.retires_at) still.insert(*known);
        else still[credential.id.text] = {*credential.retires_at, Clock::now() + (*credential.retires_at - wall_())};
    }
    pending_ = std::move(still);
    if (pending_.empty()) timer_.cancel();
    else if (!timer_.running()) timer_.start(0ms);
}

void RetirementClock::look() {
    const TimePoint now = Clock::now();
    std::vector<store::CredentialId> due;
    for (auto& [id, pending] : pending_) {
        if ((wall_() < pending.at && now < pending.deadline) || now < pending.ask_again) continue;
        pending.ask_again = now + kAskAgain;
        due.push_back({id});
    }
    timer_.start(kLookEvery);
    if (!due.empty()) on_due_(std::move(due));
}

}  // namespace sallyport::relay
