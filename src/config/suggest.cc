#include "config/suggest.h"

#include <algorithm>
#include <numeric>
#include <utility>
#include <vector>

namespace sallyport {
namespace {

constexpr std::size_t kMaxLength = 64;   // our longest key has 18 letters; keeps the table small
constexpr std::size_t kMaxDistance = 3;

char folded(char c) {
    if (c == '-') return '_';
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

// Letters to insert, drop, change, or swap with their neighbour (optimal string alignment).
std::size_t distance(std::string_view a, std::string_view b) {
    std::vector<std::size_t> before(b.size() + 1), last(b.size() + 1), now(b.size() + 1);
    std::iota(last.begin(), last.end(), std::size_t{0});
    for (std::size_t i = 1; i <= a.size(); ++i) {
        now[0] = i;
        for (std::size_t j = 1; j <= b.size(); ++j) {
            const std::size_t change = folded(a[i - 1]) == folded(b[j - 1]) ? 0 : 1;
            now[j] = std::min({last[j] + 1, now[j - 1] + 1, last[j - 1] + change});
            if (i > 1 && j > 1 && folded(a[i - 1]) == folded(b[j - 2]) && folded(a[i - 2]) == folded(b[j - 1]))
                now[j] = std::min(now[j], before[j - 2] + 1);
        }
        before = std::exchange(last, now);
    }
    return last[b.size()];
}

}  // namespace

std::string nearest_name(std::string_view typed, std::span<const std::string> known) {
    if (typed.size() > kMaxLength) return {};
    std::string nearest;
    std::size_t best = std::min(kMaxDistance, std::max<std::size_t>(1, typed.size() / 3)) + 1;
    for (const std::string& name : known)
        if (const std::size_t steps = distance(typed, name); steps < best) {
            best = steps;
            nearest = name;
        }
    return nearest;
}

}  // namespace sallyport
