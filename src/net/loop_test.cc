#include "net/loop.h"

#include <gtest/gtest.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <thread>

namespace sallyport {
namespace {

using namespace std::chrono_literals;

struct Socketpair {
    Socketpair() {
        std::array<int, 2> ends;
        EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends.data()), 0);
        a.reset(ends[0]);
        b.reset(ends[1]);
    }
    Descriptor a, b;
};

struct CountingOwner : Watch::Owner {
    void on_readable() override { ++readable; if (then) then(); }
    void on_writable() override { ++writable; }
    void on_hangup() override { ++hangups; }
    int readable = 0, writable = 0, hangups = 0;
    std::function<void()> then;
};

}  // namespace

TEST(Loop, TellsReadinessOnlyWhileItIsWanted) {
    Loop loop;
    Socketpair pair;
    CountingOwner owner;
    Watch watch(loop, pair.a.get(), owner);
    watch.want_write(true);
    loop.turn(0ms);
    EXPECT_EQ(owner.writable, 1);
    watch.want_write(false);
    ASSERT_EQ(::write(pair.b.get(), "x", 1), 1);
    loop.turn(0ms);
    EXPECT_EQ(owner.readable, 0);
    watch.want_read(true);
    loop.turn(0ms);
    EXPECT_EQ(owner.readable, 1);
}

TEST(Loop, TellsOfAHangUpWithoutReading) {
    Loop loop;
    Socketpair pair;
    CountingOwner owner;
    Watch watch(loop, pair.a.get(), owner);
    watch.want_hangup(true);
    pair.b.reset();
    loop.turn(0ms);
    EXPECT_EQ(owner.hangups, 1);
}

TEST(Loop, AWatchDestroyedInTheSameTurnIsNotCalled) {
    Loop loop;
    Socketpair first, second;
    CountingOwner one, two;
    auto watch_one = std::make_unique<Watch>(loop, first.a.get(), one);
    auto watch_two = std::make_unique<Watch>(loop, second.a.get(), two);
    one.then = [&] { watch_two.reset(); };
    two.then = [&] { watch_one.reset(); };
    watch_one->want_read(true);
    watch_two->want_read(true);
    ASSERT_EQ(::write(first.b.get(), "x", 1), 1);
    ASSERT_EQ(::write(second.b.get(), "x", 1), 1);
    loop.turn(0ms);
    EXPECT_EQ(one.readable + two.readable, 1);
}

TEST(Loop, ATimerMovedLaterFiresOnceAtTheLaterTime) {
    Loop loop;
    int fired = 0;
    Timer timer(loop, [&] { ++fired; });
    Timer guard(loop, [&] { EXPECT_EQ(fired, 0); });
    timer.start(1ms);
    timer.start(20ms);
    guard.start(5ms);
    while (fired == 0) loop.turn(100ms);
    EXPECT_EQ(fired, 1);
    EXPECT_FALSE(timer.running());
}

TEST(Loop, TimersStartedAboutATimeFallTogetherAndNeverEarly) {
    TimePoint time{24h};
    Loop loop([&] { return time; });
    std::vector<TimePoint> fired;
    std::vector<std::unique_ptr<Timer>> timers;
    for (int i = 0; i < 100; ++i) {
        timers.push_back(std::make_unique<Timer>(loop, [&] { fired.push_back(loop.now()); }));
        loop.turn(0ms);
        timers.back()->start_about(30s);
        time += 1ms;
    }
    Timer soon(loop, [&] { fired.push_back(loop.now()); });
    loop.turn(0ms);
    const TimePoint asked = time;
    soon.start_about(1900ms);  // short waits are kept
    for (; time < asked + 31s; time += 1ms) loop.turn(0ms);
    ASSERT_EQ(fired.size(), 101u);
    EXPECT_EQ(fired.front(), asked + 1900ms);
    fired.erase(fired.begin());
    EXPECT_EQ(std::ranges::count(fired, fired.front()) + std::ranges::count(fired, fired.back()), fired.front() == fired.back() ? 200 : 100);
    EXPECT_GE(fired.front(), TimePoint{24h} + 30s);
    EXPECT_LE(fired.back(), asked + 30s + Timer::kSlack);
}

TEST(Loop, RunsMessagesOfAThreadInOrder) {
    Loop loop;
    std::vector<int> seen;
    std::thread other([&] {
        for (int i = 0; i < 1000; ++i) loop.post([&seen, i] { seen.push_back(i); });
        loop.post([&] { loop.stop(); });
    });
    loop.run();
    other.join();
    ASSERT_EQ(seen.size(), 1000u);
    EXPECT_TRUE(std::ranges::is_sorted(seen));
}

TEST(Loop, TurnEndRunsOncePerTurnAndDisposalAfterIt) {
    Loop loop;
    int runs = 0;
    TurnEnd work(loop, [&] { ++runs; });
    struct Note {
        int* deleted;
        ~Note() { ++*deleted; }
    };
    int deleted = 0;
    work.ask();
    work.ask();
    loop.dispose(std::make_unique<Note>(&deleted));
    EXPECT_EQ(deleted, 0);
    loop.turn(0ms);
    EXPECT_EQ(runs, 1);
    EXPECT_EQ(deleted, 1);
}

}  // namespace sallyport
