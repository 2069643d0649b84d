// send_pace.h: how few octets a tunnel commits to its connection ahead of time. What is committed stands before everything that
// comes later, so a key stroke's wait is this divided by the line's rate: 128 KiB are 1 ms at 1 Gbit/s and 16 s at 64 kbit/s. What
// leaves within kAhead is enough.
//
// It must never be the bound itself what makes a line slow, so a slow round proves nothing: the program or the machine may have been
// busy. Only what the kernel still held when asked again is slow because of the line; whenever the kernel ran dry meanwhile, there
// should have been more, and the bound doubles. Pure: time and what the kernel holds are arguments.
#pragma once
#include <algorithm>
#include <bit>
#include <optional>

#include "base/clock.h"
#include "base/octets.h"

namespace sallyport {

class SendPace {
public:
    static constexpr ByteCount kLeast = 2_KiB;   // about one packet
    static constexpr ByteCount kMost = 128_KiB;  // a whole send: nothing is held back
    static constexpr ByteCount kFirst = 16_KiB;  // before anything is known; about what TCP sends before it knows more
    static constexpr std::chrono::milliseconds kAhead{30};
    static constexpr std::chrono::milliseconds kLook{100};  // over how long a rate is judged, at least

    // How long a frame may be, and how many octets may wait before writing stops.
    ByteCount quantum() const { return quantum_; }
    // What the kernel may hold unsent. It asks for more when half of that has left: two packets at least.
    ByteCount unsent_in_kernel() const { return std::max(quantum_, 2 * kLeast); }

    enum class After { room, full };  // whether the connection would take more right away

    // on_sent and on_room give whether the quantum has changed. `unsent` is what the kernel holds; `now` is the same for all that
    // happens in one turn of the loop.

    // True while a rate is judged: then on_dry() is to be called when the kernel is found empty before a send.
    bool looking() const { return look_.has_value(); }
    void on_dry() { look_.reset(); }
    // Whether on_sent() wants to know what the kernel holds; else 0 will do.
    bool asks(ByteCount octets, After after) const {
        return after == After::full ? !look_ : octets >= quantum_ && quantum_ < kMost;
    }
    bool on_sent(ByteCount octets, After after, ByteCount unsent, TimePoint now) {
        const bool looked = look_.has_value();
        if (looked) look_->entered += octets;
        if (after == After::full) {
            taken_at_ = {};
            if (!looked) look_ = Look{now, unsent};
            return false;
        }
        // A whole quantum left at once, and again in a later turn.
        if (octets < quantum_ || unsent > 0 || taken_at_ == now) return false;
        const bool again = taken_at_ != TimePoint{};
        taken_at_ = now;
        return again && change(quantum_ * 2);
    }
    // It takes octets again after it was full. Ran dry: at some time since it held nothing.
    bool on_room(bool ran_dry, ByteCount unsent, TimePoint now) {
        if (!look_) return false;
        if (ran_dry) {
            look_.reset();
            return change(quantum_ * 2);
        }
        const Duration took = now - look_->since;
        if (took < kLook) return false;
        const auto left = static_cast<double>(look_->entered - std::min(look_->entered, unsent));
        const double enough = left * (std::chrono::duration<double>(kAhead) / std::chrono::duration<double>(took));
        look_ = Look{now, unsent};
        if (enough >= static_cast<double>(quantum_ * 2)) return change(quantum_ * 2);
        if (enough >= static_cast<double>(quantum_)) return false;
        // At most halved for each kLook: a short stall is not yet a slow line.
        const auto halvings = std::min<std::int64_t>(took / kLook, 8);
        return change(std::bit_floor(std::max(static_cast<ByteCount>(enough), quantum_ >> halvings)));
    }

private:
    // While the kernel never ran dry.
    struct Look {
        TimePoint since;
        ByteCount entered = 0;  // what it held at the beginning, and was given since
    };
    bool change(ByteCount quantum) {
        quantum = std::clamp(quantum, kLeast, kMost);
        if (quantum == quantum_) return false;
        quantum_ = quantum;
        return true;
    }

    ByteCount quantum_ = kFirst;  // a power of two: small changes of the rate change nothing
    std::optional<Look> look_;
    TimePoint taken_at_{};  // the last turn in which a whole quantum left at once
};

}  // namespace sallyport
