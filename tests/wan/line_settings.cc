#include "line_settings.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <string>

namespace sallyport::wan {
namespace {

struct Key {
    std::string_view name;
    double LineSettings::*value;
    double least;
    double most;
};

constexpr double kHourMs = 3'600'000;
constexpr std::array kKeys{
    Key{"delay_ms", &LineSettings::delay_ms, 0, kHourMs},      Key{"jitter_ms", &LineSettings::jitter_ms, 0, kHourMs},
    Key{"loss", &LineSettings::loss, 0, 100},                  Key{"burst", &LineSettings::burst, 1, 1e6},
    Key{"rate_kbit", &LineSettings::rate_kbit, 0, 1e8},        Key{"queue_ms", &LineSettings::queue_ms, 0, kHourMs},
    Key{"reorder", &LineSettings::reorder, 0, 100},            Key{"reorder_ms", &LineSettings::reorder_ms, 0, kHourMs},
    Key{"outage", &LineSettings::outage, 0, 1},
};

std::unexpected<Error> wrong(std::string_view word, std::string_view why) {
    return fail(Errc::invalid_argument, std::string(word) + ": " + std::string(why));
}

Result<> apply_word(LineSettings& settings, std::string_view word) {
    const std::size_t equals = word.find('=');
    if (equals == word.npos) return wrong(word, "not KEY=NUMBER");
    for (const Key& key : kKeys) {
        if (key.name != word.substr(0, equals)) continue;
        double value = 0;
        const char* end = word.data() + word.size();
        const auto [rest, error] = std::from_chars(word.data() + equals + 1, end, value);
        if (error != std::errc{} || rest != end) return wrong(word, "not a number");
        if (!(value >= key.least && value <= key.most)) return wrong(word, "out of range");
        settings.*key.value = value;
        return {};
    }
    return wrong(word, "no such key");
}

}  // namespace

Result<LineSettings> apply_words(LineSettings settings, std::string_view words) {
    while (!words.empty()) {
        const std::size_t length = std::min(words.find(' '), words.size());
        if (length > 0) {
            if (Result<> applied = apply_word(settings, words.substr(0, length)); !applied) return std::unexpected(applied.error());
        }
        words.remove_prefix(std::min(length + 1, words.size()));
    }
    // Between two bursts at least one packet arrives, so bursts of this length can't lose more.
    if (settings.burst > 1 && settings.loss > 100 * settings.burst / (settings.burst + 1))
        return fail(Errc::invalid_argument, "loss: too much for bursts of this length");
    return settings;
}

}  // namespace sallyport::wan
