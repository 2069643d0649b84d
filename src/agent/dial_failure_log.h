// dial_failure_log.h: says in the log why there is no tunnel and what a person can do: at once, when something else is the
// matter, and now and then while it lasts. Lives on one loop.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>

#include "agent/relay_dialler.h"
#include "base/clock.h"
#include "base/log.h"

namespace sallyport {

class DialFailureLog {
public:
    // The same failure is told again so often; one that only a person can mend, and another process with our key, less often.
    static constexpr std::chrono::minutes kAgain{10};
    static constexpr std::chrono::minutes kRefusalAgain{60};

    DialFailureLog(Log& log, std::string relay) : log_(log), relay_(std::move(relay)) {}
    void tell(const DialFailure& failure, std::uint64_t attempts, TimePoint now);
    enum class Weight { passing, lasting };  // lasting: told less often; `level` says how loudly
    void tell(std::string_view cause, const std::string& reason, const std::string& advice, LogLevel level, Weight weight, std::uint64_t attempts, TimePoint now);
    void forget() { last_.clear(); }  // there is a tunnel: whatever comes is new

private:
    Log& log_;
    const std::string relay_;
    std::string last_;
    TimePoint told_at_{};
};

}  // namespace sallyport
