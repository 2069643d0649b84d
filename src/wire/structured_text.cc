#include "wire/structured_text.h"

#include <algorithm>

namespace sallyport {
namespace {

// The quoted string at the front of `rest`, which loses it.
std::optional<std::string> take_quoted(std::string_view& rest) {
    std::string out;
    for (std::size_t i = 1; i < rest.size(); ++i) {
        const char c = rest[i];
        if (c == '"') {
            rest.remove_prefix(i + 1);
            return out;
        }
        if (c == '\\' && ++i == rest.size()) return std::nullopt;
        if (!syntax::is(rest[i], syntax::kFieldOctet)) return std::nullopt;
        out += rest[i];
    }
    return std::nullopt;
}

std::string_view take_until(std::string_view& rest, std::string_view ends) {
    const std::size_t end = std::min(rest.find_first_of(ends), rest.size());
    const std::string_view out = rest.substr(0, end);
    rest.remove_prefix(end);
    return out;
}

}  // namespace

std::string_view last_list_member(std::string_view list) {
    std::string_view last;
    for_each_list_member(list, [&](std::string_view member) { last = member; });
    return last;
}

std::optional<Parameter> take_parameter(std::string_view& rest) {
    rest = trim_ows(rest);
    if (rest.empty()) return std::nullopt;
    Parameter out;
    out.name = trim_ows(take_until(rest, "=;"));
    if (!is_token(out.name)) return std::nullopt;
    if (rest.starts_with('=')) {
        rest.remove_prefix(1);
        if (rest.starts_with('"')) {
            std::optional<std::string> value = take_quoted(rest);
            if (!value) return std::nullopt;
            out.value = std::move(*value);
        } else {
            out.value = trim_ows(take_until(rest, ";"));
            if (out.value.find_first_of("\"\\") != std::string::npos || !is_field_value(out.value)) return std::nullopt;
        }
        rest = trim_ows(rest);
    }
    if (rest.empty()) return out;
    if (rest.front() != ';' || trim_ows(rest.substr(1)).empty()) return std::nullopt;
    rest.remove_prefix(1);
    return out;
}

void append_quoted_string(std::string& out, std::string_view text) {
    out += '"';
    for (const char c : text) {
        if (c == '"' || c == '\\') out += '\\';
        out += c >= 0x20 && c < 0x7f ? c : '?';
    }
    out += '"';
}

}  // namespace sallyport
