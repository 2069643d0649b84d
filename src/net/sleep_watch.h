// sleep_watch.h: tells when the machine was suspended. Every timer of a loop stands still meanwhile (CLOCK_MONOTONIC), so a
// connection that died long ago would be looked at late. Lives on one loop. Harmless where the kernel has no such timer.
#pragma once
#include <chrono>
#include <functional>
#include <optional>

#include "base/clock.h"
#include "net/descriptor.h"
#include "net/loop.h"

namespace sallyport {

// How far CLOCK_BOOTTIME, which counts suspension, has run ahead of CLOCK_MONOTONIC, which doesn't. Pure. The wall clock
// plays no part: it may jump by days.
class SleepMeter {
public:
    using Nanoseconds = std::chrono::nanoseconds;
    static constexpr std::chrono::seconds kWorthTelling{1};

    SleepMeter(Nanoseconds boot, Nanoseconds monotonic) : ahead_(boot - monotonic) {}
    // What was slept since the last call; nothing if it is not worth telling.
    std::optional<Nanoseconds> read(Nanoseconds boot, Nanoseconds monotonic);

private:
    Nanoseconds ahead_;
};

class SleepWatch final : private Watch::Owner {
public:
    // A sleep is noticed at the latest so long after its end; the timer runs on through it, so after a longer one at once.
    static constexpr std::chrono::seconds kLookEvery{5};

    SleepWatch(Loop& loop, std::function<void()> on_slept);
    SleepWatch(const SleepWatch&) = delete;
    SleepWatch& operator=(const SleepWatch&) = delete;

private:
    void on_readable() override;
    void on_writable() override {}

    std::function<void()> on_slept_;
    SleepMeter meter_;
    Descriptor timer_;
    std::optional<Watch> watch_;
};

}  // namespace sallyport
