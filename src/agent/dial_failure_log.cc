#include "agent/dial_failure_log.h"

namespace sallyport {

void DialFailureLog::tell(const DialFailure& failure, std::uint64_t attempts, TimePoint now) {
    const bool refused = failure.needs_person() || failure.kind == DialFailure::Kind::duplicate_live;
    tell(name_of(failure.kind), failure.reason, failure.advice, refused ? LogLevel::error : LogLevel::warn, refused ? Weight::lasting : Weight::passing, attempts, now);
}

void DialFailureLog::tell(std::string_view cause, const std::string& reason, const std::string& advice, LogLevel level, Weight weight, std::uint64_t attempts,
                          TimePoint now) {
    if (reason == last_ && now - told_at_ < (weight == Weight::lasting ? kRefusalAgain : kAgain)) return;
    last_ = reason;
    told_at_ = now;
    if (!log_.enabled(level)) return;
    log_.write(level, "agent.not_connected",
               {{"relay", relay_}, {"cause", cause}, {"reason", reason}, {"advice", advice.empty() ? "it goes on trying" : advice}, {"attempts", attempts}});
}

}  // namespace sallyport
