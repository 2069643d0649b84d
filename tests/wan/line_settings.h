// line_settings.h: how one direction of the emulated network treats packets, and the words that say so: "loss=2.5 delay_ms=40".
// Pure.
#pragma once
#include <string_view>

#include "base/result.h"

namespace sallyport::wan {

struct LineSettings {
    double delay_ms = 0;         // one way
    double jitter_ms = 0;        // up to this much more or less, evenly spread; never changes the order
    double loss = 0;             // percent of packets, in the long run
    double burst = 1;            // mean number of packets lost in a row; 1: each is lost or not by itself
    double rate_kbit = 0;        // thousand bits of IP packets a second; 0: no limit
    double queue_ms = 200;       // who would wait longer than this for the rate is dropped (tail drop)
    double reorder = 0;          // percent of packets that later ones overtake
    double reorder_ms = 20;      // how much later those come
    double outage = 0;           // 1: everything vanishes, packets under way included; nobody is told

    bool operator==(const LineSettings&) const = default;
};

// `settings` with the words applied in order. One wrong word and nothing is applied (Errc::invalid_argument names it).
Result<LineSettings> apply_words(LineSettings settings, std::string_view words);

}  // namespace sallyport::wan
