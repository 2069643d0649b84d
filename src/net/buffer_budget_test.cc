#include "net/buffer_budget.h"

#include <gtest/gtest.h>

#include <thread>

namespace sallyport {
namespace {

TEST(BufferBudget, AddsUpWhatThreadsHold) {
    BufferBudget budget(100, 2);
    BufferBudget::hold(1000);
    EXPECT_EQ(budget.held(), 0u) << "this thread has no share yet";
    EXPECT_TRUE(BufferBudget::may_grow());
    EXPECT_FALSE(BufferBudget::refuses_new());
    budget.count_this_thread(0);
    BufferBudget::hold(74);
    EXPECT_TRUE(BufferBudget::may_grow());
    std::thread([&] {
        budget.count_this_thread(1);
        BufferBudget::hold(1);
    }).join();
    EXPECT_EQ(budget.held(), 75u);
    EXPECT_FALSE(BufferBudget::may_grow());
    EXPECT_FALSE(BufferBudget::refuses_new());
    BufferBudget::hold(25);
    EXPECT_TRUE(BufferBudget::refuses_new());
    EXPECT_EQ(budget.refused(), 1u);
    BufferBudget::release(100);  // what the other thread has counted, too
    EXPECT_EQ(budget.held(), 0u);
    EXPECT_FALSE(BufferBudget::refuses_new());
    budget.set_bound(0);
    EXPECT_TRUE(BufferBudget::refuses_new());
}

TEST(BufferBudget, AnObjectsCountGoesWithIt) {
    BufferBudget budget(100, 1);
    budget.count_this_thread(0);
    {
        HeldCount count;
        count.set(10);
        count.set(30);
        EXPECT_EQ(budget.held(), 30u);
        count.set(5);
        EXPECT_EQ(budget.held(), 5u);
    }
    EXPECT_EQ(budget.held(), 0u);
}

TEST(BufferBudget, NobodyCountsIntoOneThatIsGone) {
    {
        BufferBudget budget(100, 1);
        budget.count_this_thread(0);
    }
    BufferBudget::hold(1);
    EXPECT_FALSE(BufferBudget::refuses_new());
}

}  // namespace
}  // namespace sallyport
