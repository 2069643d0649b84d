// http_syntax.h: the small words of HTTP's grammar (RFC 9110 5.6): tokens, field values, comma lists, names compared
// without case. Pure; views in, views out.
#pragma once
#include <array>
#include <cstdint>
#include <string_view>

namespace sallyport {

namespace syntax {
inline constexpr std::uint8_t kTchar = 1;        // RFC 9110 5.6.2
inline constexpr std::uint8_t kFieldOctet = 2;   // may stand in a field value: VCHAR, obs-text, SP, HTAB (RFC 9110 5.5)
inline constexpr std::uint8_t kTargetOctet = 4;  // may stand in a request target: VCHAR and obs-text but '#'
inline constexpr std::uint8_t kHexDigit = 8;
extern const std::array<std::uint8_t, 256> kClass;  // indexed by octet
inline bool is(char c, std::uint8_t what) { return (kClass[static_cast<unsigned char>(c)] & what) != 0; }
bool all(std::string_view text, std::uint8_t what);  // true for empty text
}  // namespace syntax

inline bool is_tchar(char c) { return syntax::is(c, syntax::kTchar); }
bool is_token(std::string_view text);        // at least one tchar, nothing else
bool is_field_value(std::string_view text);  // no control octets but HTAB; space at the ends is the caller's business

inline char ascii_lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c; }
bool equals_ignoring_case(std::string_view a, std::string_view b);

// Without the SP and HTAB at both ends (OWS, RFC 9110 5.6.3).
std::string_view trim_ows(std::string_view text);

// Calls fn(std::string_view) for each non-empty member of a comma list (RFC 9110 5.6.1), OWS trimmed. Commas inside
// quoted strings do not split. fn may return bool: false stops early.
template <class Fn>
void for_each_list_member(std::string_view list, Fn&& fn);

// True if `token` is a member of the comma list, compared without case.
bool has_list_member(std::string_view list, std::string_view token);

namespace syntax {
// The length of the first member of `list` up to its comma (or the end), quoted strings skipped.
std::size_t member_length(std::string_view list);
}  // namespace syntax

template <class Fn>
void for_each_list_member(std::string_view list, Fn&& fn) {
    while (!list.empty()) {
        const std::size_t length = syntax::member_length(list);
        const std::string_view member = trim_ows(list.substr(0, length));
        list.remove_prefix(length < list.size() ? length + 1 : length);
        if (member.empty()) continue;
        if constexpr (requires { static_cast<bool>(fn(member)); }) {
            if (!fn(member)) return;
        } else {
            fn(member);
        }
    }
}

}  // namespace sallyport
