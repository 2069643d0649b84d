// back_off.h: how long to wait before the next attempt: full jitter (anything from nothing to a bound that doubles from
// base to max), so that a thousand agents that lost one relay don't come back in step. Pure: randomness comes in as a
// number.
#pragma once
#include <algorithm>
#include <chrono>

namespace sallyport {

class BackOff {
public:
    using Milliseconds = std::chrono::milliseconds;
    // What the connection before must have lasted for the next failure to count as the first.
    static constexpr std::chrono::minutes kStable{1};

    BackOff(Milliseconds base, Milliseconds max) : base_(std::max(base, Milliseconds(1))), max_(std::max(max, base_)) {}

    // `uniform` in [0, 1).
    Milliseconds next(double uniform) {
        const Milliseconds bound = bound_.count() == 0 ? base_ : bound_;
        bound_ = std::min(max_, bound * 2);
        return part(bound, uniform);
    }
    // After a refusal that only a person can mend: between half of max and max, whatever came before.
    Milliseconds next_after_refusal(double uniform) const { return max_ / 2 + part(max_ - max_ / 2, uniform); }
    void reset() { bound_ = Milliseconds(0); }
    // A connection that is cut soon again is no success: relays that accept and drop would be dialled without pause.
    void connection_lasted(std::chrono::nanoseconds age) {
        if (age >= kStable) reset();
    }

private:
    static Milliseconds part(Milliseconds whole, double uniform) {
        return Milliseconds(static_cast<Milliseconds::rep>(static_cast<double>(whole.count()) * uniform));
    }
    Milliseconds base_;
    Milliseconds max_;
    Milliseconds bound_{0};  // 0: base, since nothing failed yet
};

}  // namespace sallyport
