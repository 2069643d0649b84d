#include "wire/utf8.h"

#include <cstdint>

namespace sallyport {

std::size_t utf8_character_length(std::string_view text) {
    if (text.empty()) return 0;
    const auto octet = [text](std::size_t at) {
        return at < text.size() ? static_cast<std::uint8_t>(text[at]) : std::uint8_t{0};
    };
    const auto is_tail = [&](std::size_t at) { return (octet(at) & 0xc0) == 0x80; };
    const std::uint8_t first = octet(0), second = octet(1);
    if (first < 0x80) return 1;
    if (first < 0xc2 || first > 0xf4 || !is_tail(1)) return 0;
    if (first < 0xe0) return 2;
    if (!is_tail(2) || (first == 0xe0 && second < 0xa0) || (first == 0xed && second > 0x9f)) return 0;
    if (first < 0xf0) return 3;
    if (!is_tail(3) || (first == 0xf0 && second < 0x90) || (first == 0xf4 && second > 0x8f)) return 0;
    return 4;
}

std::string bounded_utf8(std::string_view text, std::size_t max) {
    std::string out;
    while (!text.empty()) {
        const std::size_t length = utf8_character_length(text);
        const std::size_t taken = length == 0 ? 1 : length;
        if (out.size() + taken > max) break;
        if (length == 0) out += '?';
        else out += text.substr(0, length);
        text.remove_prefix(taken);
    }
    return out;
}

}  // namespace sallyport
