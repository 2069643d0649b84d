#include "edge/path_pattern.h"

#include "edge/path_reading.h"
#include "wire/http_syntax.h"
#include "wire/utf8.h"

namespace sallyport {
namespace {

constexpr std::size_t kLongest = 1024;  // arbitrary; as long as a route's prefix

bool is_ascii(char c) { return static_cast<unsigned char>(c) < 0x80; }

bool goes_on_with_a_word(std::string_view rest) {
    const char c = ascii_lower(rest.front());
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
}

}  // namespace

Result<PathPattern> PathPattern::parse(std::string_view text) {
    const auto refuse = [&](const char* why) {
        return fail(Errc::invalid_argument, "\"" + bounded_utf8(text, 64) + "\" " + why);
    };
    PathPattern pattern;
    std::string_view beginning = text;
    if (beginning.ends_with('*')) {
        pattern.open_ended_ = true;
        beginning.remove_suffix(1);
    }
    if (!beginning.starts_with('/')) return refuse("has to begin with /");
    if (beginning.size() > kLongest) return refuse("is too long: at most 1024 octets");
    if (beginning.find('*') != std::string_view::npos) return refuse("may have * only at its end");
    if (beginning.find('%') != std::string_view::npos) return refuse("has to be written decoded, without %");
    if (beginning.find_first_of("?#;") != std::string_view::npos) return refuse("has to be a path, without ? # ;");
    if (!pattern.open_ended_)
        while (beginning.size() > 1 && beginning.ends_with('/')) beginning.remove_suffix(1);
    std::string reading;
    if (!read_path(beginning, reading)) return refuse("can be read in more than one way (//, dot segments, backslash, controls, no UTF-8)");
    pattern.beginning_ = std::move(reading);
    return pattern;
}

bool PathPattern::covers(std::string_view reading) const {
    if (!reading.starts_with(beginning_)) return false;
    return open_ended_ || beginning_ == "/" || reading.size() == beginning_.size() || reading[beginning_.size()] == '/';
}

bool PathPattern::covers_loosely(std::string_view reading) const {
    std::string_view wanted = beginning_;
    while (!wanted.empty()) {
        if (reading.empty()) return false;
        const bool plain = is_ascii(reading.front()) && is_ascii(wanted.front());
        if (plain && ascii_lower(reading.front()) != ascii_lower(wanted.front())) return false;
        if (!plain && is_ascii(reading.front())) return false;
        reading.remove_prefix(utf8_character_length(reading));
        wanted.remove_prefix(utf8_character_length(wanted));
    }
    return open_ended_ || beginning_ == "/" || reading.empty() || !goes_on_with_a_word(reading);
}

}  // namespace sallyport
