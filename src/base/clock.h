// clock.h: the two clocks. Deadlines and ages use Clock (never jumps); what is stored or shown uses WallClock.
#pragma once
#include <chrono>

namespace sallyport {

using Clock = std::chrono::steady_clock;
using TimePoint = Clock::time_point;
using Duration = Clock::duration;

using WallClock = std::chrono::system_clock;
using WallTime = std::chrono::time_point<WallClock, std::chrono::seconds>;

inline WallTime wall_now() { return std::chrono::time_point_cast<std::chrono::seconds>(WallClock::now()); }

}  // namespace sallyport
