#include "store/store_thread.h"

#include <gmock/gmock.h>

#include <latch>

#include "store/testing.h"

namespace sallyport::store {
namespace {

TEST(StoreThread, RunsJobsInOrderAndDrainsAtStop) {
    TempFolder folder;
    std::vector<int> order;
    {
        StoreThread thread(open_store(folder.path()));
        for (int i = 0; i < 20; ++i)
            EXPECT_OK(thread.submit([&order, i](Store& store) {
                order.push_back(i);
                EXPECT_TRUE(store.add_agent({.name = "agent-" + std::to_string(i)}, kOwner));
            }));
        thread.stop();
        EXPECT_FAILS(thread.submit([](Store&) {}), Errc::refused, "stopping");
        thread.stop();
    }
    std::vector<int> expected(20);
    std::ranges::generate(expected, [i = 0]() mutable { return i++; });
    EXPECT_EQ(order, expected);
    EXPECT_EQ(open_store(folder.path())->list_agents()->size(), 20u) << "the store is closed and complete";
}

TEST(StoreThread, RefusesMoreThanItsBound) {
    TempFolder folder;
    StoreThread thread(open_store(folder.path()), 2);
    std::latch started(1), go_on(1);
    EXPECT_OK(thread.submit([&](Store&) {
        started.count_down();
        go_on.wait();
    }));
    started.wait();
    EXPECT_OK(thread.submit([](Store&) {}));
    EXPECT_OK(thread.submit([](Store&) {}));
    EXPECT_FAILS(thread.submit([](Store&) {}), Errc::would_block, "waiting for the disk");
    go_on.count_down();
    thread.stop();
}

TEST(StoreThread, GivesTheFileAwayAndTakesItBack) {
    TempFolder folder;
    StoreThread thread(open_store(folder.path()));
    std::latch started(1), go_on(1);
    EXPECT_OK(thread.submit([&](Store& store) {
        started.count_down();
        go_on.wait();
        EXPECT_TRUE(store.add_agent({.name = "home"}, kOwner));
    }));
    started.wait();
    EXPECT_FAILS(thread.give_away(std::chrono::milliseconds(1)), Errc::timeout, "busy");
    EXPECT_OK(thread.submit([](Store&) {}));  // as before
    go_on.count_down();
    EXPECT_OK(thread.give_away(std::chrono::minutes(1)));
    EXPECT_FAILS(thread.submit([](Store&) {}), Errc::would_block, "another process");
    EXPECT_FAILS(thread.give_away(std::chrono::minutes(1)), Errc::conflict, "another process");

    auto elsewhere = open_store(folder.path());
    EXPECT_EQ(elsewhere->list_agents()->size(), 1u) << "what was queued is done";
    thread.take_back(std::move(elsewhere));
    EXPECT_OK(thread.submit([](Store& store) { EXPECT_EQ(store.list_agents()->size(), 1u); }));
    thread.stop();
}

TEST(StoreThread, StopsWhileTheFileIsAway) {
    TempFolder folder;
    StoreThread thread(open_store(folder.path()));
    EXPECT_OK(thread.give_away(std::chrono::minutes(1)));
    thread.stop();
    EXPECT_FAILS(thread.submit([](Store&) {}), Errc::refused, "stopping");
}

}  // namespace
}  // namespace sallyport::store
