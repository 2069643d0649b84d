#include "net/sleep_watch.h"

#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include <cstdint>

namespace sallyport {
namespace {

std::chrono::nanoseconds time_of(clockid_t clock) {
    timespec now{};
    ::clock_gettime(clock, &now);
    return std::chrono::seconds(now.tv_sec) + std::chrono::nanoseconds(now.tv_nsec);
}

}  // namespace

std::optional<SleepMeter::Nanoseconds> SleepMeter::read(Nanoseconds boot, Nanoseconds monotonic) {
    const Nanoseconds slept = boot - monotonic - ahead_;
    if (slept < kWorthTelling) return std::nullopt;  // shorter ones add up
    ahead_ = boot - monotonic;
    return slept;
}

SleepWatch::SleepWatch(Loop& loop, std::function<void()> on_slept)
    : on_slept_(std::move(on_slept)),
      meter_(time_of(CLOCK_BOOTTIME), time_of(CLOCK_MONOTONIC)),
      timer_(::timerfd_create(CLOCK_BOOTTIME, TFD_NONBLOCK | TFD_CLOEXEC)) {
    itimerspec every{};
    every.it_value.tv_sec = every.it_interval.tv_sec = kLookEvery.count();
    if (!timer_ || ::timerfd_settime(timer_.get(), 0, &every, nullptr) != 0) return;
    watch_.emplace(loop, timer_.get(), static_cast<Watch::Owner&>(*this));
    watch_->want_read(true);
}

void SleepWatch::on_readable() {
    std::uint64_t times = 0;
    if (::read(timer_.get(), &times, sizeof times) < 0) return;
    if (meter_.read(time_of(CLOCK_BOOTTIME), time_of(CLOCK_MONOTONIC))) on_slept_();
}

}  // namespace sallyport
