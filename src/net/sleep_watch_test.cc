#include "net/sleep_watch.h"

#include <gtest/gtest.h>

namespace sallyport {
namespace {

using namespace std::chrono_literals;

TEST(SleepMeter, TellsWhatWasSleptOnce) {
    SleepMeter meter{100s, 40s};
    EXPECT_FALSE(meter.read(105s, 45s));
    EXPECT_EQ(meter.read(3'710s, 50s), 3'600s);
    EXPECT_FALSE(meter.read(3'715s, 55s));
}

TEST(SleepMeter, ShortSleepsAddUp) {
    SleepMeter meter{0s, 0s};
    EXPECT_FALSE(meter.read(5'600ms, 5s));
    EXPECT_EQ(meter.read(11'200ms, 10s), 1'200ms);
}

TEST(SleepWatch, IsMadeAndGone) {
    Loop loop;
    const SleepWatch watch(loop, [] { ADD_FAILURE() << "nobody slept"; });
    loop.turn(0ms);
}

}  // namespace
}  // namespace sallyport
