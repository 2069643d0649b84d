// line.h: one direction of the emulated network: takes packets, loses or holds them as its settings say, gives them back
// when they are due. Pure: the time is an argument. One thread.
//
// The n-th packet that enters has the same luck for the same seed, whatever the others did; only the rate's queue depends
// on when packets come. A packet's fate is drawn when it enters: later settings change nothing for it, but for an outage.
#pragma once
#include <optional>
#include <random>
#include <vector>

#include "base/clock.h"
#include "base/octets.h"
#include "line_settings.h"

namespace sallyport::wan {

struct LineCounters {  // packets, unless said
    std::uint64_t entered = 0;
    std::uint64_t entered_octets = 0;
    std::uint64_t lost = 0;          // by loss
    std::uint64_t queue_dropped = 0; // by the rate's full queue
    std::uint64_t vanished = 0;      // in an outage
    std::uint64_t overflowed = 0;    // kMostHeldOctets were held already
    std::uint64_t reordered = 0;
    std::uint64_t left = 0;
    std::uint64_t left_octets = 0;
};

// The order in which packets are lost. Without bursts each is lost or not by itself; with them runs of losses and runs of
// arrivals take turns, both geometrically long, which is Gilbert's two-state channel.
class LossPattern {
public:
    explicit LossPattern(std::uint64_t seed) : random_(seed) {}
    void change(double loss_percent, double mean_burst);
    bool loses_next();

private:
    std::uint64_t draw_run();  // of the state that begins

    std::mt19937_64 random_;
    double share_ = 0;
    double burst_ = 1;
    bool losing_ = false;
    std::uint64_t run_left_ = 0;
};

class Line {
public:
    static constexpr ByteCount kMostHeldOctets = 64_MiB;  // above any bandwidth-delay product of a test

    explicit Line(std::uint64_t seed);

    const LineSettings& settings() const { return settings_; }
    void change(const LineSettings& settings);

    void enter(Octets packet, TimePoint now);
    std::optional<TimePoint> next_due() const;
    // The packet that is due first, if any is. The view holds until the next call.
    std::optional<Octets> take_due(TimePoint now);

    const LineCounters& counters() const { return counters_; }

private:
    struct Held {
        TimePoint due;
        std::uint64_t number;  // first in, first out among those due at once
        std::vector<std::byte> packet;
    };
    struct Later {
        bool operator()(const Held& a, const Held& b) const {
            return a.due != b.due ? a.due > b.due : a.number > b.number;
        }
    };
    std::optional<TimePoint> pass_queue(std::size_t octets, TimePoint now);  // when its last octet is on the line
    void hold(Octets packet, TimePoint due);
    std::vector<std::byte> take_first();

    LineSettings settings_;
    LineCounters counters_;
    LossPattern loss_;
    std::mt19937_64 jitter_random_;
    std::mt19937_64 reorder_random_;
    TimePoint line_free_{};  // when the rate has served all that wait
    TimePoint last_due_{};   // of those that keep their order
    std::vector<Held> held_; // heap, first due on top
    ByteCount held_octets_ = 0;
    std::vector<std::byte> taken_;
};

}  // namespace sallyport::wan
