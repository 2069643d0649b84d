// access_log.h: one line a request: `event=access host=… method=… status=… octets=… ms=… [error=…]`. Never a path, query or
// cookie. At most kMostLinesASecond a loop; how many were left out is told once a second.
#pragma once
#include <cstdint>
#include <string_view>

#include "base/clock.h"
#include "base/log.h"
#include "base/octets.h"

namespace sallyport {

// Lets so many events a second through.
class RateBound {
public:
    explicit RateBound(unsigned most_a_second) : most_(most_a_second) {}
    bool admit(TimePoint now);
    std::uint64_t take_suppressed() { return std::exchange(suppressed_, 0); }  // since the last call
    bool has_suppressed() const { return suppressed_ > 0; }

private:
    unsigned most_;
    unsigned count_ = 0;
    TimePoint second_{};
    std::uint64_t suppressed_ = 0;
};

struct AccessEntry {
    std::string_view host;
    std::string_view method;
    int status = 0;  // 0: cut off without an answer
    ByteCount octets = 0;
    Duration took{};
    std::string_view error_id;
};

class AccessLog {
public:
    AccessLog(Log& log, bool enabled) : log_(log), enabled_(enabled) {}
    bool enabled() const { return enabled_; }
    void note(const AccessEntry& entry, TimePoint now);

private:
    static constexpr unsigned kMostLinesASecond = 500;  // about 1 % of a core
    Log& log_;
    bool enabled_;
    RateBound bound_{kMostLinesASecond};
};

}  // namespace sallyport
