#include "edge/attempt_budget.h"

#include <gtest/gtest.h>

#include <string>

namespace sallyport {
namespace {

using namespace std::chrono_literals;

constexpr TimePoint kStart{1h};

unsigned take_all(AttemptBudget& budget, std::string_view ip, TimePoint now) {
    unsigned taken = 0;
    while (taken < 1000 && budget.try_take(ip, now)) ++taken;
    return taken;
}

TEST(AttemptBudget, GivesAnAddressSoManyAtOnceAndThenOneASecond) {
    AttemptBudget budget(1000, 10);
    EXPECT_EQ(take_all(budget, "192.0.2.1", kStart), 10u);
    EXPECT_EQ(take_all(budget, "192.0.2.1", kStart + 999ms), 0u);
    EXPECT_EQ(take_all(budget, "192.0.2.1", kStart + 3s), 3u);
    EXPECT_EQ(take_all(budget, "192.0.2.1", kStart + 1h), 10u);
    EXPECT_EQ(take_all(budget, "192.0.2.2", kStart + 1h), 10u);
}

TEST(AttemptBudget, CountsIPv6ByItsFirst64Bits) {
    AttemptBudget budget(1000, 10);
    EXPECT_EQ(take_all(budget, "2001:db8::1", kStart), 10u);
    EXPECT_EQ(take_all(budget, "2001:db8::2:1", kStart), 0u);
    EXPECT_EQ(take_all(budget, "2001:db8:0:1::1", kStart), 10u);
    EXPECT_EQ(take_all(budget, "no address", kStart), 10u);
}

TEST(AttemptBudget, BoundsAllAddressesTogether) {
    AttemptBudget budget(20, 10);
    unsigned taken = 0;
    for (int i = 0; i < 100; ++i) taken += take_all(budget, "192.0.2." + std::to_string(i), kStart);
    EXPECT_EQ(taken, 20u);
    EXPECT_EQ(take_all(budget, "198.51.100.1", kStart + 500ms), 10u);
}

TEST(AttemptBudget, KeepsABoundedNumberOfAddresses) {
    AttemptBudget budget(1'000'000, 10);
    for (int i = 0; i < 20'000; ++i)
        budget.try_take("10." + std::to_string(i / 65536) + "." + std::to_string(i / 256 % 256) + "." + std::to_string(i % 256), kStart);
    EXPECT_LE(budget.addresses(), 8192u);
    budget.try_take("192.0.2.1", kStart + 1h);
    EXPECT_EQ(budget.addresses(), 1u);
}

}  // namespace
}  // namespace sallyport
