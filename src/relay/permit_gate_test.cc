#include "relay/permit_gate.h"

#include <gtest/gtest.h>

#include <thread>
#include <vector>

namespace sallyport::relay {
namespace {

using Permit = std::unique_ptr<Origins::Permit>;
using namespace std::chrono_literals;

TEST(PermitGate, GivesAsManyAsTheLimitSays) {
    auto gate = std::make_shared<PermitGate>(2);
    Permit first = gate->try_acquire();
    Permit second = gate->try_acquire();
    EXPECT_TRUE(first && second);
    EXPECT_FALSE(gate->try_acquire());
    first.reset();
    EXPECT_TRUE(gate->try_acquire());
}

TEST(PermitGate, ServesThoseWhoWaitInTheirOrderAndNobodyBeforeThem) {
    Loop loop;
    auto gate = std::make_shared<PermitGate>(1);
    Permit held = gate->try_acquire();
    std::vector<int> order;
    std::vector<Permit> permits;
    const auto note = [&](int who) {
        return [&, who](Result<Permit> permit) {
            ASSERT_TRUE(permit);
            order.push_back(who);
            permits.push_back(std::move(*permit));
        };
    };
    const auto wait_1 = gate->acquire_within(loop, 10s, note(1));
    const auto wait_2 = gate->acquire_within(loop, 10s, note(2));
    held.reset();
    EXPECT_FALSE(gate->try_acquire()) << "a newcomer overtook";
    loop.turn(1s);
    EXPECT_EQ(order, std::vector{1});
    permits.clear();
    loop.turn(1s);
    EXPECT_EQ(order, (std::vector{1, 2}));
}

TEST(PermitGate, TellsWhoWaitedTooLong) {
    Loop loop;
    auto gate = std::make_shared<PermitGate>(0);
    std::optional<Errc> outcome;
    const auto wait = gate->acquire_within(loop, 1ms, [&](Result<Permit> permit) { outcome = permit.error().code; });
    while (!outcome) loop.turn(1s);
    EXPECT_EQ(outcome, Errc::timeout);
}

TEST(PermitGate, PassesThePermitOnWhenItsWaiterIsGone) {
    Loop loop;
    auto gate = std::make_shared<PermitGate>(1);
    Permit held = gate->try_acquire();
    auto gone = gate->acquire_within(loop, 10s, [](Result<Permit>) { FAIL() << "called after its end"; });
    held.reset();  // its permit is under way
    gone.reset();
    loop.turn(1s);
    EXPECT_EQ(gate->in_flight(), 0u);
}

TEST(PermitGate, ServesWaitersWhenTheLimitRises) {
    Loop loop;
    auto gate = std::make_shared<PermitGate>(0);
    bool served = false;
    const auto wait = gate->acquire_within(loop, 10s, [&](Result<Permit> permit) { served = permit.has_value(); });
    gate->set_limit(1);
    loop.turn(1s);
    EXPECT_TRUE(served);
}

// Many loops at once; run under TSan too. Each takes and gives back; at the end nothing may be left over.
TEST(PermitGate, LosesNoPermitAmongThreads) {
    constexpr int kRounds = 2000;
    auto gate = std::make_shared<PermitGate>(3);
    std::atomic<unsigned> inside{0};
    std::atomic<unsigned> most{0};
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t)
        threads.emplace_back([&] {
            Loop loop;
            for (int round = 0; round < kRounds; ++round) {
                std::optional<Permit> permit;
                if (auto at_once = gate->try_acquire()) permit = std::move(at_once);
                std::unique_ptr<Origins::Wait> wait;
                if (!permit) wait = gate->acquire_within(loop, 60s, [&](Result<Permit> late) { permit = std::move(late.value()); });
                while (!permit) loop.turn(1s);
                const unsigned now = ++inside;
                for (unsigned seen = most; seen < now && !most.compare_exchange_weak(seen, now);) {}
                --inside;
            }
        });
    for (auto& thread : threads) thread.join();
    EXPECT_EQ(gate->in_flight(), 0u);
    EXPECT_LE(most, 3u);
}

}  // namespace
}  // namespace sallyport::relay
