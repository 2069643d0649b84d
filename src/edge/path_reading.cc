#include "edge/path_reading.h"

#include "wire/http_syntax.h"
#include "wire/utf8.h"

namespace sallyport {
namespace {

bool is_hex(char c) { return syntax::is(c, syntax::kHexDigit); }

char from_hex(char high, char low) {
    const auto digit = [](char c) { return c <= '9' ? c - '0' : ascii_lower(c) - 'a' + 10; };
    return static_cast<char>(digit(high) * 16 + digit(low));
}

bool decode(std::string_view path, std::string& out) {
    out.clear();
    for (std::size_t i = 0; i < path.size(); ++i) {
        char c = path[i];
        if (c == '%') {
            if (path.size() - i < 3 || !is_hex(path[i + 1]) || !is_hex(path[i + 2])) return false;
            c = from_hex(path[i + 1], path[i + 2]);
            i += 2;
            if (c == '/') return false;
        }
        if (c == '\\' || c == 0x7f || static_cast<unsigned char>(c) < 0x20) return false;
        out += c;
    }
    return true;
}

bool has_escape(std::string_view text) {
    for (std::size_t at = text.find('%'); at != std::string_view::npos; at = text.find('%', at + 1)) {
        const std::string_view behind = text.substr(at + 1, 2);
        if (!behind.empty() && ascii_lower(behind[0]) == 'u') return true;
        if (behind.size() == 2 && is_hex(behind[0]) && is_hex(behind[1])) return true;
    }
    return false;
}

bool is_utf8(std::string_view text) {
    while (!text.empty()) {
        const std::size_t length = utf8_character_length(text);
        if (length == 0) return false;
        text.remove_prefix(length);
    }
    return true;
}

bool is_plain_segment(std::string_view segment, bool last) {
    std::string_view core = segment.substr(0, segment.find(';'));
    while (core.ends_with('.') || core.ends_with(' ')) core.remove_suffix(1);
    if (core.empty()) return last && segment.empty();
    return last || core.size() == segment.size();
}

}  // namespace

bool read_path(std::string_view path, std::string& reading) {
    if (!path.starts_with('/') || !decode(path, reading) || has_escape(reading) || !is_utf8(reading)) return false;
    std::string_view rest = std::string_view(reading).substr(1);
    while (true) {
        const std::size_t slash = rest.find('/');
        const bool last = slash == std::string_view::npos;
        if (!is_plain_segment(rest.substr(0, slash), last)) return false;
        if (last) return true;
        rest.remove_prefix(slash + 1);
    }
}

}  // namespace sallyport
