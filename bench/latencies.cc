#include "latencies.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace sallyport::bench {

std::string Latencies::percentile_us(double fraction) const {
    if (samples_.empty()) return "null";
    const auto rank = static_cast<std::size_t>(std::ceil(fraction * static_cast<double>(samples_.size())));
    return fmt::format("{:.1f}", static_cast<double>(samples_[rank == 0 ? 0 : rank - 1]) / 1e3);
}

std::string Latencies::summary(std::uint64_t failed, std::chrono::nanoseconds elapsed) {
    std::ranges::sort(samples_);
    return fmt::format(R"({{"completed":{},"failed":{},"seconds":{:.3f},"p50_us":{},"p99_us":{}}})", samples_.size(),
                       failed, static_cast<double>(elapsed.count()) / 1e9, percentile_us(0.50), percentile_us(0.99));
}

}  // namespace sallyport::bench
