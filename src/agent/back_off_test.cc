#include "agent/back_off.h"

#include <gtest/gtest.h>

namespace sallyport {
namespace {

using namespace std::chrono_literals;

TEST(BackOff, BoundDoublesUpToTheMaximum) {
    BackOff back_off{1s, 60s};
    for (const auto bound : {1s, 2s, 4s, 8s, 16s, 32s, 60s, 60s})
        EXPECT_EQ(back_off.next(0.5) * 2, bound) << bound.count();
}

TEST(BackOff, JitterIsFull) {
    BackOff back_off{1s, 60s};
    EXPECT_EQ(back_off.next(0.0), 0ms);
    EXPECT_EQ(back_off.next(0.999), 1998ms);
}

TEST(BackOff, BeginsAnewAfterAStableConnection) {
    BackOff back_off{1s, 60s};
    for (int i = 0; i < 10; ++i) back_off.next(0.5);
    back_off.connection_lasted(59s);
    EXPECT_EQ(back_off.next(0.5), 30s);
    back_off.connection_lasted(60s);
    EXPECT_EQ(back_off.next(0.5), 500ms);
}

TEST(BackOff, IsSlowWhereAPersonIsNeeded) {
    const BackOff back_off{1s, 60s};
    EXPECT_EQ(back_off.next_after_refusal(0.0), 30s);
    EXPECT_EQ(back_off.next_after_refusal(0.5), 45s);
}

}  // namespace
}  // namespace sallyport
