#include "relay/retirement_clock.h"

#include <gtest/gtest.h>

namespace sallyport::relay {
namespace {

using namespace std::chrono_literals;

class RetirementClockTest : public testing::Test {
protected:
    static store::Credential retiring(std::string id, WallTime at) {
        store::Credential credential;
        credential.id.text = std::move(id);
        credential.retires_at = at;
        return credential;
    }
    void until_due(std::size_t count) {
        const TimePoint deadline = Clock::now() + 20s;
        while (due_.size() < count) {
            ASSERT_LT(Clock::now(), deadline);
            loop_.turn(10ms);
        }
    }
    Loop loop_;
    WallClock::time_point wall_ = WallClock::now();
    std::vector<std::string> due_;
    RetirementClock clock_{loop_,
                           [this](std::vector<store::CredentialId> ids) {
                               for (const auto& id : ids) due_.push_back(id.text);
                           },
                           [this] { return wall_; }};
    const WallTime start_ = std::chrono::time_point_cast<std::chrono::seconds>(wall_);
};

TEST_F(RetirementClockTest, WhatIsOverAtTheStartIsDueAtOnceAndTheRestIsNot) {
    clock_.follow({retiring("old", start_ - 1h), retiring("young", start_ + 1h)});
    until_due(1);
    EXPECT_EQ(due_, std::vector<std::string>{"old"});
}

TEST_F(RetirementClockTest, AWallClockThatJumpsOnEndsIt) {
    clock_.follow({retiring("a", start_ + 1h)});
    loop_.turn(1ms);
    EXPECT_TRUE(due_.empty());
    wall_ += 1h;
    until_due(1);
}

TEST_F(RetirementClockTest, AWallClockThatIsSetBackDoesNotProlongIt) {
    clock_.follow({retiring("a", start_ + 2s)});
    wall_ -= 24h * 365;
    clock_.follow({retiring("a", start_ + 2s), retiring("b", start_ + 1h)});  // another change meanwhile
    until_due(1);
    EXPECT_EQ(due_, std::vector<std::string>{"a"});
}

TEST_F(RetirementClockTest, WhatIsNotNamedAnyMoreIsForgotten) {
    clock_.follow({retiring("a", start_ - 1h)});
    clock_.follow({});
    for (int i = 0; i < 10; ++i) loop_.turn(1ms);
    EXPECT_TRUE(due_.empty());
}

}  // namespace
}  // namespace sallyport::relay
