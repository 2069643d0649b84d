// received_octets.h: octets that came in and were not used yet. During the call that brings them they are used where they
// lie; only what is left over at its end is copied. The bound is the giver's: a paused transport or a stream's window.
#pragma once
#include <cstddef>
#include <string>

#include "base/octets.h"
#include "net/buffer_budget.h"

namespace sallyport {

class ReceivedOctets {
public:
    ReceivedOctets() = default;
    // Counted against the relay's budget (BufferBudget): what no stream's window counts already.
    enum class Counted { yes };
    explicit ReceivedOctets(Counted) : counted_(true) {}

    // Everything not used yet, in order. Valid until the next call of anything here but consume().
    Octets front() const { return kept_.empty() ? live_ : as_octets(kept_).subspan(at_); }
    std::string_view text() const { return as_text(front()); }
    std::size_t size() const { return front().size(); }
    bool empty() const { return front().empty(); }

    void consume(std::size_t count) {
        if (kept_.empty()) {
            live_ = live_.subspan(count);
            return;
        }
        at_ += count;
        if (at_ < kept_.size()) return;
        kept_.clear();
        at_ = 0;
    }

    // Between hold() and keep_rest() the octets stay the caller's.
    void hold(Octets octets) {
        if (kept_.empty()) live_ = octets;
        else append(octets);
    }
    void keep_rest() {
        const Octets rest = live_;
        live_ = {};
        append(rest);
    }

    void clear() {
        kept_.clear();
        at_ = 0;
        live_ = {};
    }
    // Gives big memory back while nothing is kept; an idle connection holds none.
    void shrink() {
        if (kept_.empty() && kept_.capacity() > kSmall) std::string().swap(kept_);
        count();
    }

private:
    static constexpr std::size_t kSmall = 4096;
    void append(Octets octets) {
        if (octets.empty()) return;
        if (at_ > 0) kept_.erase(0, at_);
        at_ = 0;
        kept_.append(as_text(octets));
        count();
    }
    void count() {
        if (counted_) held_.set(kept_.capacity() > kSmall ? kept_.capacity() : 0);
    }
    HeldCount held_;
    bool counted_ = false;
    std::string kept_;    // empty unless something of it is unused
    std::size_t at_ = 0;  // of kept_, used already
    Octets live_;
};

}  // namespace sallyport
