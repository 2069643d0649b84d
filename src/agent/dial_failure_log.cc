#include "agent/dial_failure_log.h"

namespace sallyport {

void DialFailureLog::tell(const DialFailure& failure, std::uint64_t attempts, TimePoint now) {
    const bool refused = failure.needs_person() || failure.kind == DialFailure::Kind::duplicate_live;
    if (failure.reason == last_ && now - told_at_ < (refused ? kRefusalAgain : kAgain)) return;
    last_ = failure.reason;
    told_at_ = now;
    const LogLevel level = refused ? LogLevel::error : LogLevel::warn;
    if (!log_.enabled(level)) return;
    log_.write(level, "agent.not_connected",
               {{"relay", relay_},
                {"cause", name_of(failure.kind)},
                {"reason", failure.reason},
                {"advice", failure.advice.empty() ? "it goes on trying" : failure.advice},
                {"attempts", attempts}});
}

}  // namespace sallyport
