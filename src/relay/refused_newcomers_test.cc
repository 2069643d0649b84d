#include "relay/refused_newcomers.h"

#include <gtest/gtest.h>

namespace sallyport::relay {
namespace {

TEST(RefusedNewcomers, KnowsTheLastOneForAWhile) {
    const TimePoint start{};
    RefusedNewcomers newcomers;
    EXPECT_FALSE(newcomers.find("a", start));
    newcomers.note("a", "192.0.2.1", start);
    newcomers.note("a", "192.0.2.1", start + std::chrono::minutes(1));
    ASSERT_TRUE(newcomers.find("a", start + kNewcomerKept));
    EXPECT_EQ(newcomers.find("a", start + kNewcomerKept)->attempts, 2u);
    EXPECT_FALSE(newcomers.find("a", start + kNewcomerKept + std::chrono::minutes(1)));
    newcomers.forget("a");
    EXPECT_FALSE(newcomers.find("a", start));
}

TEST(RefusedNewcomers, TheOwnersDecisionIsForOneAddress) {
    const TimePoint start{};
    RefusedNewcomers newcomers;
    newcomers.note("a", "192.0.2.1", start);
    EXPECT_FALSE(newcomers.is_preferred("a", "192.0.2.1", start));
    EXPECT_FALSE(newcomers.prefer("a", "192.0.2.9", start)) << "not the one that the owner was shown";
    EXPECT_FALSE(newcomers.prefer("b", "192.0.2.1", start));
    EXPECT_TRUE(newcomers.prefer("a", "192.0.2.1", start));
    EXPECT_TRUE(newcomers.is_preferred("a", "192.0.2.1", start));
    EXPECT_FALSE(newcomers.is_preferred("a", "192.0.2.9", start));
    EXPECT_FALSE(newcomers.is_preferred("a", "192.0.2.1", start + kNewcomerKept)) << "nor for ever";
    newcomers.note("a", "192.0.2.9", start);
    EXPECT_FALSE(newcomers.is_preferred("a", "192.0.2.1", start));
    EXPECT_FALSE(newcomers.is_preferred("a", "192.0.2.9", start));
}

}  // namespace
}  // namespace sallyport::relay
