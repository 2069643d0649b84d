// path_rules.h: which paths of an origin visitors may ask for. Judged on what the origin will get, behind strip_prefix. A deny
// rule wins over every allow rule; where there is an allow rule, what none covers is denied. Pure.
#pragma once
#include <string_view>
#include <vector>

#include "edge/path_pattern.h"

namespace sallyport {

struct PathRules {
    enum class Verdict { pass, denied, ambiguous };  // ambiguous: path_reading.h; no rule can be judged on it
    std::vector<PathPattern> allow;
    std::vector<PathPattern> deny;

    bool empty() const { return allow.empty() && deny.empty(); }
    // `path`: without query, octet for octet.
    Verdict judge(std::string_view path) const;
};

}  // namespace sallyport
