#include "wire/http_syntax.h"

#include <algorithm>

namespace sallyport {
namespace syntax {
namespace {

constexpr std::array<std::uint8_t, 256> make_classes() {
    std::array<std::uint8_t, 256> classes{};
    for (unsigned c = 0; c < 256; ++c) {
        const bool visible = c > 0x20 && c < 0x7f;
        const bool obs_text = c >= 0x80;
        if (visible || obs_text || c == ' ' || c == '\t') classes[c] |= kFieldOctet;
        if ((visible && c != '#') || obs_text) classes[c] |= kTargetOctet;
        const bool digit = c >= '0' && c <= '9';
        const bool alpha = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        if (digit || alpha ||
            (c != 0 && c < 0x80 &&
             std::string_view("!#$%&'*+-.^_`|~").find(static_cast<char>(c)) != std::string_view::npos))
            classes[c] |= kTchar;
        if (digit || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F')) classes[c] |= kHexDigit;
    }
    return classes;
}

}  // namespace

constexpr std::array<std::uint8_t, 256> kClass = make_classes();

bool all(std::string_view text, std::uint8_t what) {
    std::uint8_t common = what;
    for (const char c : text) common &= kClass[static_cast<unsigned char>(c)];
    return common == what;
}

std::size_t member_length(std::string_view list) {
    bool quoted = false;
    for (std::size_t i = 0; i < list.size(); ++i) {
        if (list[i] == '"') quoted = !quoted;
        else if (quoted && list[i] == '\\') ++i;
        else if (!quoted && list[i] == ',') return i;
    }
    return list.size();
}

}  // namespace syntax

bool is_token(std::string_view text) { return !text.empty() && syntax::all(text, syntax::kTchar); }
bool is_field_value(std::string_view text) { return syntax::all(text, syntax::kFieldOctet); }

bool equals_ignoring_case(std::string_view a, std::string_view b) {
    return a.size() == b.size() &&
           std::equal(a.begin(), a.end(), b.begin(), [](char x, char y) { return ascii_lower(x) == ascii_lower(y); });
}

std::string_view trim_ows(std::string_view text) {
    const auto is_space = [](char c) { return c == ' ' || c == '\t'; };
    while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
    while (!text.empty() && is_space(text.back())) text.remove_suffix(1);
    return text;
}

bool has_list_member(std::string_view list, std::string_view token) {
    bool found = false;
    for_each_list_member(list, [&](std::string_view member) { return !(found = equals_ignoring_case(member, token)); });
    return found;
}

}  // namespace sallyport
