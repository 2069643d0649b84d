#include "base/encoding.h"

#include <array>

namespace sallyport {
namespace {

constexpr std::string_view kUrlAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
constexpr std::string_view kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

std::string encode(Octets octets, std::string_view alphabet) {
    std::string out;
    out.reserve((octets.size() * 4 + 2) / 3);
    std::uint32_t bits = 0;
    int count = 0;
    for (const std::byte octet : octets) {
        bits = (bits << 8) | std::to_integer<std::uint32_t>(octet);
        for (count += 8; count >= 6;) {
            count -= 6;
            out += alphabet[(bits >> count) & 63];
        }
    }
    if (count > 0) out += alphabet[(bits << (6 - count)) & 63];
    return out;
}

Result<std::string> decode(std::string_view text, std::string_view alphabet) {
    if (text.size() % 4 == 1) return fail(Errc::protocol, "base64: impossible length");
    std::string out;
    out.reserve(text.size() * 3 / 4);
    std::uint32_t bits = 0;
    int count = 0;
    for (const char c : text) {
        const auto value = alphabet.find(c);
        if (value == std::string_view::npos) return fail(Errc::protocol, "base64: foreign character");
        bits = (bits << 6) | static_cast<std::uint32_t>(value);
        count += 6;
        if (count >= 8) {
            count -= 8;
            out += static_cast<char>((bits >> count) & 255);
        }
    }
    if (bits & ((1u << count) - 1)) return fail(Errc::protocol, "base64: stray bits");
    return out;
}

}  // namespace

std::string to_base64url(Octets octets) { return encode(octets, kUrlAlphabet); }
Result<std::string> from_base64url(std::string_view text) { return decode(text, kUrlAlphabet); }

std::string to_base64(Octets octets) {
    std::string out = encode(octets, kAlphabet);
    out.append((4 - out.size() % 4) % 4, '=');
    return out;
}

Result<std::string> from_base64(std::string_view text) {
    if (text.size() % 4 != 0) return fail(Errc::protocol, "base64: length is no multiple of 4");
    for (int padding = 0; padding < 2 && text.ends_with('='); ++padding) text.remove_suffix(1);
    return decode(text, kAlphabet);
}

std::string to_hex(Octets octets) {
    constexpr std::string_view digits = "0123456789abcdef";
    std::string out;
    out.reserve(octets.size() * 2);
    for (const std::byte octet : octets) {
        out += digits[std::to_integer<unsigned>(octet) >> 4];
        out += digits[std::to_integer<unsigned>(octet) & 15];
    }
    return out;
}

}  // namespace sallyport
