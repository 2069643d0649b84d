// http2_allowance.h: how much of what costs us and brings the visitor nothing one HTTP/2 connection may do: a store of tokens that
// fills up with time, and with useful work. Pure: the time is an argument.
#pragma once
#include <algorithm>
#include <chrono>

#include "base/clock.h"

namespace sallyport {

class Http2Allowance {
public:
    Http2Allowance(double most, double a_second) : most_(most), a_second_(a_second), left_(most) {}

    // False once it is used up.
    [[nodiscard]] bool spend(TimePoint now, double tokens = 1) {
        if (last_ != TimePoint{}) left_ = std::min(most_, left_ + a_second_ * std::chrono::duration<double>(now - last_).count());
        last_ = now;
        left_ -= tokens;
        return left_ >= 0;
    }
    void earn(double tokens) { left_ = std::min(most_, left_ + tokens); }

private:
    double most_;
    double a_second_;
    double left_;
    TimePoint last_{};
};

}  // namespace sallyport
