#include "agent/attempt_pace.h"

#include <gtest/gtest.h>

namespace sallyport {
namespace {

using namespace std::chrono_literals;
using enum AttemptStage;

TEST(AttemptPace, WaitsForNobodyWhoHasNotAnswered) {
    for (const std::size_t attempts : {1, 2, 4}) EXPECT_EQ(attempt_patience(connecting, attempts), 0ms);
}

TEST(AttemptPace, WaitsLongerForARelayThatIsBusyThanForALineThatIsSlow) {
    for (const std::size_t attempts : {1, 2, 3, 4})
        EXPECT_GT(attempt_patience(acknowledged, attempts), attempt_patience(connected, attempts));
}

TEST(AttemptPace, WaitsTwiceAsLongWithEachAttempt) {
    for (const AttemptStage stage : {connected, acknowledged})
        for (const std::size_t attempts : {1, 2, 3})
            EXPECT_EQ(attempt_patience(stage, attempts + 1), 2 * attempt_patience(stage, attempts));
}

TEST(AttemptPace, HasABound) { EXPECT_LE(attempt_patience(acknowledged, 1'000'000), 60s); }

}  // namespace
}  // namespace sallyport
