#include "wire/duration.h"

#include <array>
#include <cstdint>
#include <limits>

namespace sallyport {
namespace {

struct Unit {
    std::string_view name;
    std::int64_t nanoseconds;
};
constexpr std::array kUnits = std::to_array<Unit>({
    {"ns", 1},
    {"us", 1'000},
    {"\xc2\xb5s", 1'000},  // U+00B5, micro sign
    {"\xce\xbcs", 1'000},  // U+03BC, Greek mu
    {"ms", 1'000'000},
    {"s", 1'000'000'000},
    {"m", 60'000'000'000},
    {"h", 3'600'000'000'000},
});

std::unexpected<Error> refuse(std::string_view text, std::string_view why) {
    std::string detail = "\"";
    detail += text.substr(0, 40);
    detail += "\" is no duration: ";
    detail += why;
    detail += " (write 30s, 1m30s or 500ms)";
    return fail(Errc::invalid_argument, std::move(detail));
}

bool is_digit(char c) { return c >= '0' && c <= '9'; }

// Takes "12.5" off the front as whole part and fraction = numerator/scale. False on overflow or if there is no digit.
struct Number {
    std::int64_t whole = 0;
    std::int64_t numerator = 0;
    std::int64_t scale = 1;
};
bool take_number(std::string_view& text, Number& out) {
    bool digits = false;
    for (; !text.empty() && is_digit(text.front()); text.remove_prefix(1)) {
        if (__builtin_mul_overflow(out.whole, 10, &out.whole) ||
            __builtin_add_overflow(out.whole, text.front() - '0', &out.whole))
            return false;
        digits = true;
    }
    if (!text.starts_with('.')) return digits;
    for (text.remove_prefix(1); !text.empty() && is_digit(text.front()); text.remove_prefix(1)) {
        digits = true;
        if (out.scale >= 100'000'000'000'000) continue;  // finer than a nanosecond of an hour
        out.numerator = out.numerator * 10 + (text.front() - '0');
        out.scale *= 10;
    }
    return digits;
}

const Unit* take_unit(std::string_view& text) {
    std::size_t length = 0;
    while (length < text.size() && !is_digit(text[length]) && text[length] != '.') ++length;
    for (const Unit& unit : kUnits) {
        if (unit.name != text.substr(0, length)) continue;
        text.remove_prefix(length);
        return &unit;
    }
    return nullptr;
}

}  // namespace

Result<std::chrono::nanoseconds> parse_duration(std::string_view text) {
    std::string_view rest = text;
    if (rest.starts_with('-')) return refuse(text, "it is negative");
    if (rest.starts_with('+')) rest.remove_prefix(1);
    if (rest == "0") return std::chrono::nanoseconds(0);
    if (rest.empty()) return refuse(text, "it is empty");
    std::int64_t total = 0;
    while (!rest.empty()) {
        Number number;
        if (!take_number(rest, number)) return refuse(text, "a number is missing or too large");
        if (rest.empty()) return refuse(text, "a unit is missing");
        const Unit* unit = take_unit(rest);
        if (!unit) return refuse(text, "the unit must be ns, us, ms, s, m or h");
        std::int64_t part = 0;
        const auto fraction =
            static_cast<std::int64_t>(static_cast<__int128>(number.numerator) * unit->nanoseconds / number.scale);
        if (__builtin_mul_overflow(number.whole, unit->nanoseconds, &part) ||
            __builtin_add_overflow(part, fraction, &part) || __builtin_add_overflow(total, part, &total))
            return refuse(text, "it is too long");
    }
    return std::chrono::nanoseconds(total);
}

namespace {

// value/10^decimals without trailing zeros: 1500, 3 -> "1.5".
std::string decimal(std::uint64_t value, int decimals) {
    std::string fraction;
    for (int i = 0; i < decimals; ++i, value /= 10)
        if (!fraction.empty() || value % 10 != 0)
            fraction.insert(fraction.begin(), static_cast<char>('0' + value % 10));
    return fraction.empty() ? std::to_string(value) : std::to_string(value) + "." + fraction;
}

}  // namespace

std::string format_duration(std::chrono::nanoseconds duration) {
    const std::int64_t count = duration.count();
    if (count == 0) return "0s";
    const std::uint64_t value = count < 0 ? 0 - static_cast<std::uint64_t>(count) : static_cast<std::uint64_t>(count);
    std::string out = count < 0 ? "-" : "";
    if (value < 1'000) return out + std::to_string(value) + "ns";
    if (value < 1'000'000) return out + decimal(value, 3) + "\xc2\xb5s";
    if (value < 1'000'000'000) return out + decimal(value, 6) + "ms";
    constexpr std::uint64_t minute = 60'000'000'000;
    const std::uint64_t minutes = value / minute;
    if (minutes >= 60) out += std::to_string(minutes / 60) + "h";
    if (minutes > 0) out += std::to_string(minutes % 60) + "m";
    return out + decimal(value % minute, 9) + "s";
}

}  // namespace sallyport
