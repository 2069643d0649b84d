#include "edge/path_rules.h"

#include <algorithm>

#include "edge/path_reading.h"

namespace sallyport {

PathRules::Verdict PathRules::judge(std::string_view path) const {
    if (empty()) return Verdict::pass;
    std::string reading;
    if (!read_path(path, reading)) return Verdict::ambiguous;
    if (std::ranges::any_of(deny, [&](const PathPattern& rule) { return rule.covers_loosely(reading); })) return Verdict::denied;
    if (allow.empty() || std::ranges::any_of(allow, [&](const PathPattern& rule) { return rule.covers(reading); })) return Verdict::pass;
    return Verdict::denied;
}

}  // namespace sallyport
