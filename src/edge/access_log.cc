#include "edge/access_log.h"

#include <algorithm>

namespace sallyport {

bool RateBound::admit(TimePoint now) {
    if (now - second_ >= std::chrono::seconds(1)) {
        second_ = now;
        count_ = 0;
    }
    if (count_ < most_) {
        ++count_;
        return true;
    }
    ++suppressed_;
    return false;
}

void AccessLog::note(const AccessEntry& entry, TimePoint now) {
    if (!enabled_ || !log_.enabled(LogLevel::info) || !bound_.admit(now)) return;
    if (bound_.has_suppressed()) log_.info("access.suppressed", {{"lines", bound_.take_suppressed()}});
    const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(entry.took).count();
    // A method is any token a visitor likes.
    const std::string_view method = entry.method.substr(0, std::min<std::size_t>(entry.method.size(), 32));
    if (entry.error_id.empty())
        log_.info("access", {{"host", entry.host}, {"method", method}, {"status", entry.status}, {"octets", entry.octets}, {"ms", ms}});
    else
        log_.info("access", {{"host", entry.host}, {"method", method}, {"status", entry.status}, {"octets", entry.octets}, {"ms", ms}, {"error", entry.error_id}});
}

}  // namespace sallyport
