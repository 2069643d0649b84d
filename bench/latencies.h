// latencies.h: the samples of one load run and the one JSON line every load program prints. One thread at a time.
#pragma once
#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

namespace sallyport::bench {

class Latencies {
public:
    void add(std::chrono::nanoseconds sample) { samples_.push_back(static_cast<std::uint64_t>(sample.count())); }
    void add(const Latencies& other) { samples_.insert(samples_.end(), other.samples_.begin(), other.samples_.end()); }
    [[nodiscard]] std::size_t count() const { return samples_.size(); }

    // {"completed":…,"failed":…,"seconds":…,"p50_us":…,"p99_us":…}; percentiles by nearest rank, null without samples.
    [[nodiscard]] std::string summary(std::uint64_t failed, std::chrono::nanoseconds elapsed);

private:
    [[nodiscard]] std::string percentile_us(double fraction) const;  // samples_ must be sorted
    std::vector<std::uint64_t> samples_;  // nanoseconds; bounded by the run's time (8 octets per round trip)
};

}  // namespace sallyport::bench
