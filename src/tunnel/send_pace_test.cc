#include "tunnel/send_pace.h"

#include <gtest/gtest.h>

namespace sallyport {
namespace {

using std::chrono::duration;
using std::chrono::milliseconds;

constexpr auto kFull = SendPace::After::full;
constexpr auto kRoom = SendPace::After::room;

// A sender that always has octets, and a kernel that holds them for a line of some rate. The program looks again `late` after there is
// room: a busy machine, a slow receiver, a delayed acknowledgement.
struct Line {
    SendPace pace;
    TimePoint now{std::chrono::hours(1)};
    double held = 0;  // in the kernel
    milliseconds late{0};

    ByteCount run(double octets_a_second, milliseconds time) {
        for (const TimePoint end = now + time; now < end;) {
            if (pace.looking() && held == 0) pace.on_dry();
            const ByteCount sent = pace.quantum();
            held += static_cast<double>(sent);
            const bool full = held >= static_cast<double>(pace.unsent_in_kernel());
            pace.on_sent(sent, full ? kFull : kRoom, static_cast<ByteCount>(held), now);
            if (!full) continue;
            const double until_room = std::max(held - static_cast<double>(pace.unsent_in_kernel()) / 2, 0.0) / octets_a_second;
            const double waited = until_room + std::chrono::duration<double>(late).count() + 1e-6;
            held = std::max(held - waited * octets_a_second, 0.0);
            now += std::chrono::duration_cast<Duration>(duration<double>(waited));
            pace.on_room(held < 1, static_cast<ByteCount>(held), now);
        }
        return pace.quantum();
    }
};

TEST(SendPace, CommitsWhatLeavesWithinItsTime) {
    const struct {
        double octets_a_second;
        ByteCount quantum;
    } lines[] = {{1e9, SendPace::kMost}, {10e6, SendPace::kMost}, {1e6, 16_KiB}, {300e3, 8_KiB}, {8e3, SendPace::kLeast}};
    for (const auto& line : lines) EXPECT_EQ(Line{}.run(line.octets_a_second, milliseconds(10'000)), line.quantum) << line.octets_a_second;
}

TEST(SendPace, FollowsALineThatChanges) {
    Line line;
    EXPECT_EQ(line.run(8e3, milliseconds(5'000)), SendPace::kLeast);
    EXPECT_EQ(line.run(100e6, milliseconds(1'000)), SendPace::kMost);
    EXPECT_EQ(line.run(8e3, milliseconds(60'000)), SendPace::kLeast);
}

TEST(SendPace, IsNeverWhatMakesAFastLineSlow) {
    // Whatever makes each round late, from whatever it begins with: the kernel runs dry, so there should be more in it.
    for (const int late : {1, 10, 40, 200, 1'000}) {
        Line line;
        line.run(8e3, milliseconds(20'000));
        line.late = milliseconds(late);
        EXPECT_EQ(line.run(100e6, milliseconds(20 * late)), SendPace::kMost) << late;
    }
}

TEST(SendPace, AShortStallHalvesAtMost) {
    Line line;
    EXPECT_EQ(line.run(100e6, milliseconds(1'000)), SendPace::kMost);
    line.pace.on_dry();
    line.pace.on_sent(SendPace::kMost, kFull, SendPace::kMost, line.now);
    line.pace.on_room(false, 60'000, line.now += milliseconds(150));
    EXPECT_EQ(line.pace.quantum(), SendPace::kMost / 2);
}

TEST(SendPace, GrowsWhenTheConnectionIsNeverFull) {
    SendPace pace;
    TimePoint now{std::chrono::hours(1)};
    for (int i = 0; i < 10; ++i) EXPECT_FALSE(pace.on_sent(SendPace::kFirst, kRoom, 0, now)) << "the kernel takes much at once";
    EXPECT_TRUE(pace.on_sent(SendPace::kFirst, kRoom, 0, now += milliseconds(1)));
    EXPECT_EQ(pace.quantum(), 2 * SendPace::kFirst);
    for (int i = 0; i < 10; ++i) pace.on_sent(pace.quantum(), kRoom, 0, now += milliseconds(1));
    EXPECT_EQ(pace.quantum(), SendPace::kMost);
}

TEST(SendPace, LearnsNothingFromASenderWithLittleToSay) {
    SendPace pace;
    TimePoint now{std::chrono::hours(1)};
    for (int i = 0; i < 10; ++i) EXPECT_FALSE(pace.on_sent(100, kRoom, 0, now += milliseconds(1)));
    pace.on_sent(SendPace::kFirst, kFull, SendPace::kFirst, now);
    EXPECT_FALSE(pace.on_room(false, 100, now += milliseconds(5)));
    EXPECT_TRUE(pace.looking());
    now += std::chrono::minutes(1);  // nothing to send
    pace.on_dry();
    pace.on_sent(SendPace::kFirst, kFull, SendPace::kFirst, now);
    EXPECT_FALSE(pace.on_room(false, 100, now += milliseconds(5)));
    EXPECT_EQ(pace.quantum(), SendPace::kFirst);
}

}  // namespace
}  // namespace sallyport
