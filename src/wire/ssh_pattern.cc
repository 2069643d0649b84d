#include "wire/ssh_pattern.h"

#include <algorithm>
#include <cstddef>

namespace sallyport {
namespace {

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

// Calls use(pattern, negated) for each of the list until it says no.
template <class Use>
void for_each_pattern(std::string_view list, Use use) {
    while (!list.empty()) {
        const std::size_t comma = std::min(list.find(','), list.size());
        std::string_view pattern = list.substr(0, comma);
        list.remove_prefix(std::min(comma + 1, list.size()));
        const bool negated = pattern.starts_with('!');
        if (negated) pattern.remove_prefix(1);
        if (!pattern.empty() && !use(pattern, negated)) return;
    }
}

template <class Matches>
PatternMatch match_list(std::string_view list, Matches matches) {
    PatternMatch result = PatternMatch::none;
    for_each_pattern(list, [&](std::string_view pattern, bool negated) {
        if (!matches(pattern)) return true;
        result = negated ? PatternMatch::refused : PatternMatch::matched;
        return !negated;
    });
    return result;
}

}  // namespace

bool matches_ssh_pattern(std::string_view text, std::string_view pattern) {
    std::size_t at = 0, t = 0;
    std::size_t star = std::string_view::npos, resume = 0;  // the last '*', and where in the text it would end next
    while (t < text.size()) {
        if (at < pattern.size() && pattern[at] == '*') {
            star = at++;
            resume = t;
        } else if (at < pattern.size() && (pattern[at] == '?' || lower(pattern[at]) == lower(text[t]))) {
            ++at;
            ++t;
        } else if (star != std::string_view::npos) {
            at = star + 1;
            t = ++resume;
        } else {
            return false;
        }
    }
    return pattern.find_first_not_of('*', at) == std::string_view::npos;
}

PatternMatch match_ssh_patterns(std::string_view text, std::string_view list) {
    return match_list(list, [&](std::string_view pattern) { return matches_ssh_pattern(text, pattern); });
}

bool matches_ssh_from(const IpAddress& address, std::string_view list) {
    const std::string text = address.text();
    return match_list(list, [&](std::string_view pattern) {
               if (matches_ssh_pattern(text, pattern)) return true;
               const auto network = IpNetwork::parse(pattern);
               return network && network->contains(address);
           }) == PatternMatch::matched;
}

}  // namespace sallyport
