#include "wire/byte_size.h"

#include <array>
#include <charconv>
#include <limits>

namespace sallyport {
namespace {

struct Unit {
    std::string_view name;
    int shift;
};
constexpr std::array kUnits{Unit{"TiB", 40}, Unit{"GiB", 30}, Unit{"MiB", 20}, Unit{"KiB", 10}, Unit{"B", 0}, Unit{"", 0}};

}  // namespace

Result<ByteCount> parse_byte_size(std::string_view text) {
    ByteCount number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error == std::errc::result_out_of_range) return fail(Errc::invalid_argument, "too large");
    if (error != std::errc{}) return fail(Errc::invalid_argument, "no number (write 500KiB, 100MiB or 2GiB)");
    const std::string_view unit(end, text.data() + text.size());
    for (const auto& [name, shift] : kUnits) {
        if (name != unit) continue;
        if (number > std::numeric_limits<ByteCount>::max() >> shift) return fail(Errc::invalid_argument, "too large");
        return number << shift;
    }
    return fail(Errc::invalid_argument, "unknown unit \"" + std::string(unit.substr(0, 16)) + "\" (B, KiB, MiB, GiB or TiB)");
}

std::string format_byte_size(ByteCount octets) {
    for (const auto& [name, shift] : kUnits)
        if (octets != 0 && octets % (ByteCount{1} << shift) == 0) return std::to_string(octets >> shift) + std::string(name);
    return "0B";
}

}  // namespace sallyport
