#include "line.h"

#include <gtest/gtest.h>

#include <cstring>
#include <map>

namespace sallyport::wan {
namespace {

using std::chrono::milliseconds;

constexpr TimePoint kStart{std::chrono::hours(1)};

struct Arrival {
    int number;
    TimePoint at;
    bool operator==(const Arrival&) const = default;
};

LineSettings with(std::string_view words) { return apply_words({}, words).value(); }

// Sends `count` packets of `size` octets, one every `gap`, and notes what comes out and when.
std::vector<Arrival> send(Line& line, int count, Duration gap, std::size_t size = 100) {
    std::vector<Arrival> arrivals;
    std::vector<std::byte> packet(size);
    const auto take_until = [&](TimePoint now) {
        for (auto due = line.next_due(); due && *due <= now; due = line.next_due()) {
            const TimePoint at = *due;
            if (const auto out = line.take_due(at)) {
                int number = 0;
                std::memcpy(&number, out->data(), sizeof number);
                arrivals.push_back({number, at});
            }
        }
    };
    for (int number = 0; number < count; ++number) {
        const TimePoint now = kStart + gap * number;
        take_until(now);
        std::memcpy(packet.data(), &number, sizeof number);
        line.enter(packet, now);
    }
    take_until(TimePoint::max());
    return arrivals;
}

TEST(Line, LetsEverythingThroughAtOnceByDefault) {
    Line line(1);
    const auto arrivals = send(line, 1000, milliseconds(1));
    ASSERT_EQ(arrivals.size(), 1000U);
    for (const Arrival& arrival : arrivals) EXPECT_EQ(arrival.at, kStart + milliseconds(arrival.number));
    EXPECT_EQ(line.counters().left_octets, 100'000U);
}

TEST(Line, DelaysByTheDelayAndAtMostTheJitterInOrder) {
    Line line(1);
    line.change(with("delay_ms=50 jitter_ms=20"));
    int expected = 0;
    Duration least = Duration::max(), most{};
    for (const Arrival& arrival : send(line, 5000, milliseconds(1))) {
        EXPECT_EQ(arrival.number, expected++);
        least = std::min(least, arrival.at - kStart - milliseconds(arrival.number));
        most = std::max(most, arrival.at - kStart - milliseconds(arrival.number));
    }
    EXPECT_EQ(expected, 5000);
    EXPECT_GE(least, milliseconds(30));
    EXPECT_LT(least, milliseconds(60));
    EXPECT_LE(most, milliseconds(70));
    EXPECT_GT(most, milliseconds(65));
}

TEST(Line, LosesTheShareAskedForOneByOne) {
    Line line(7);
    line.change(with("loss=10"));
    EXPECT_NEAR(static_cast<double>(send(line, 100'000, Duration(1)).size()), 90'000, 500);
}

TEST(Line, LosesInBurstsOfTheMeanLength) {
    for (const double burst : {2.0, 8.0}) {
        Line line(7);
        line.change(with("loss=20 burst=" + std::to_string(burst)));
        const auto arrivals = send(line, 200'000, Duration(1));
        int runs = 0;
        for (std::size_t i = 1; i < arrivals.size(); ++i) runs += arrivals[i].number != arrivals[i - 1].number + 1;
        const auto lost = static_cast<double>(line.counters().lost);
        EXPECT_NEAR(lost, 40'000, 2'500);
        EXPECT_NEAR(lost / runs, burst, burst * 0.05);
    }
}

TEST(Line, HasTheSameLuckForTheSameSeedOnly) {
    const auto settings = with("loss=5 burst=3 delay_ms=10 jitter_ms=5 reorder=10");
    std::map<int, std::vector<Arrival>> runs;
    for (int run = 0; run < 3; ++run) {
        Line line(run < 2 ? 1 : 2);
        line.change(settings);
        runs[run] = send(line, 1000, milliseconds(1));
    }
    EXPECT_EQ(runs[0], runs[1]);
    EXPECT_NE(runs[0], runs[2]);
}

TEST(Line, KeepsItsLossesWhenOtherSettingsChange) {
    const auto numbers_with = [](std::string_view words) {
        Line line(3);
        line.change(with(words));
        std::map<int, TimePoint> arrived;
        for (const Arrival& arrival : send(line, 2000, milliseconds(1))) arrived[arrival.number] = arrival.at;
        std::vector<int> numbers;
        for (const auto& [number, at] : arrived) numbers.push_back(number);
        return numbers;
    };
    EXPECT_EQ(numbers_with("loss=10"), numbers_with("loss=10 jitter_ms=9 delay_ms=20 reorder=30"));
}

TEST(Line, SendsAtItsRateAndDropsWhoWouldWaitTooLong) {
    Line line(1);
    line.change(with("rate_kbit=800 queue_ms=50"));  // a packet of 1000 octets takes 10 ms
    const auto arrivals = send(line, 1000, milliseconds(1), 1000);
    EXPECT_NEAR(static_cast<double>(arrivals.size()), 106, 1);  // a second's worth and a full queue
    for (std::size_t i = 1; i < arrivals.size(); ++i) EXPECT_EQ(arrivals[i].at - arrivals[i - 1].at, milliseconds(10));
    for (const Arrival& arrival : arrivals) EXPECT_LE(arrival.at - kStart - milliseconds(arrival.number), milliseconds(60));
    EXPECT_EQ(line.counters().queue_dropped, 1000 - arrivals.size());
}

TEST(Line, LetsLaterPacketsOvertakeTheShareAskedFor) {
    Line line(1);
    line.change(with("reorder=10 reorder_ms=5 delay_ms=20"));
    const auto arrivals = send(line, 10'000, milliseconds(1));
    ASSERT_EQ(arrivals.size(), 10'000U);
    int late = 0, highest = -1;
    for (const Arrival& arrival : arrivals) {
        late += arrival.number < highest;
        highest = std::max(highest, arrival.number);
    }
    EXPECT_NEAR(late, 1000, 150);
    EXPECT_EQ(line.counters().reordered, static_cast<std::uint64_t>(late));
}

TEST(Line, SwallowsWhatIsUnderWayInAnOutage) {
    Line line(1);
    line.change(with("delay_ms=100"));
    const std::vector<std::byte> packet(100);
    line.enter(packet, kStart);
    line.change(with("delay_ms=100 outage=1"));
    line.enter(packet, kStart);
    EXPECT_FALSE(line.take_due(kStart + milliseconds(200)));
    EXPECT_EQ(line.counters().vanished, 2U);
    line.change(with("delay_ms=100 outage=0"));
    line.enter(packet, kStart + milliseconds(200));
    EXPECT_TRUE(line.take_due(kStart + milliseconds(300)));
}

TEST(Line, HoldsNoMoreThanItsBound) {
    Line line(1);
    line.change(with("delay_ms=1000"));
    const std::vector<std::byte> packet(1_MiB);
    for (ByteCount held = 0; held < Line::kMostHeldOctets; held += packet.size()) line.enter(packet, kStart);
    EXPECT_EQ(line.counters().overflowed, 0U);
    line.enter(packet, kStart);
    EXPECT_EQ(line.counters().overflowed, 1U);
}

TEST(LineSettings, TakesWordsOrNothing) {
    EXPECT_EQ(apply_words({}, ""), LineSettings{});
    const LineSettings settings = with("delay_ms=1.5  loss=2 burst=4");
    EXPECT_EQ(settings.delay_ms, 1.5);
    EXPECT_EQ(settings.loss, 2);
    EXPECT_EQ(apply_words(settings, "loss=0")->burst, 4);
    for (const std::string_view wrong : {"delay", "delay=1", "loss=", "loss=x", "loss=1x", "loss=-1", "loss=101", "loss=nan",
                                         "burst=0", "burst=2 loss=90", "delay_ms=1e99", "outage=2", "=1"}) {
        const auto answer = apply_words({}, wrong);
        ASSERT_FALSE(answer) << wrong;
        EXPECT_EQ(answer.error().code, Errc::invalid_argument) << wrong;
    }
}

}  // namespace
}  // namespace sallyport::wan
