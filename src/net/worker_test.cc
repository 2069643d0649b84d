#include "net/worker.h"

#include <gtest/gtest.h>

#include <future>
#include <latch>

namespace sallyport {
namespace {

TEST(Workers, NamesThatDontResolveHoldUpNothingElse) {
    std::latch resolver_answers(1);
    std::atomic<int> hung = 0;
    std::promise<void> written;
    {
        Workers workers(4);
        for (int i = 0; i < 20; ++i) {
            ASSERT_TRUE(workers.submit_hanging([&] {
                ++hung;
                resolver_answers.wait();
            }));
        }
        ASSERT_TRUE(workers.submit([&] { written.set_value(); }));
        EXPECT_EQ(written.get_future().wait_for(std::chrono::seconds(60)), std::future_status::ready);
        EXPECT_LE(hung, 3);
        resolver_answers.count_down();
    }
    EXPECT_EQ(hung, 20) << "what is queued is still run";
}

TEST(Workers, OneThreadDoesBoth) {
    std::atomic<int> done = 0;
    {
        std::latch begun(1);
        std::latch go_on(1);
        Workers workers(1, 2);
        ASSERT_TRUE(workers.submit([&] {
            begun.count_down();
            go_on.wait();
        }));
        begun.wait();
        for (int i = 0; i < 2; ++i) {
            EXPECT_TRUE(workers.submit_hanging([&] { ++done; }));
            EXPECT_TRUE(workers.submit([&] { ++done; }));
        }
        EXPECT_FALSE(workers.submit_hanging([] {})) << "bounded";
        EXPECT_FALSE(workers.submit([] {}));
        go_on.count_down();
    }
    EXPECT_EQ(done, 4);
}

}  // namespace
}  // namespace sallyport
