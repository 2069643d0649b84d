// Any path against any rules: what passes reads the same however leniently a server reads it, so no way of reading a path that
// passed may lead to one that is denied.
#include "edge/path_rules.h"

#include <cstdint>
#include <cstdlib>
#include <vector>

#include "edge/path_reading.h"
#include "wire/http_syntax.h"

namespace {

using namespace sallyport;

int digit(char c) { return c <= '9' ? c - '0' : ascii_lower(c) - 'a' + 10; }

std::string decoded(std::string_view text) {
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] == '%' && text.size() - i > 2 && syntax::is(text[i + 1], syntax::kHexDigit) && syntax::is(text[i + 2], syntax::kHexDigit)) {
            out += static_cast<char>(digit(text[i + 1]) * 16 + digit(text[i + 2]));
            i += 2;
        } else {
            out += text[i];
        }
    }
    return out;
}

struct Lenient {
    int decodings;       // 0 to 3
    bool backslashes;    // are slashes
    bool parameters;     // ";…" is dropped from segments
    bool trailing_dots;  // and spaces are dropped from segments
    bool lower_case;
};

// How such a server would read the path: segments merged and dots resolved.
std::string as_read_by(const Lenient& server, std::string path) {
    for (int i = 0; i < server.decodings; ++i) path = decoded(path);
    std::vector<std::string> segments;
    std::string segment;
    const auto close = [&] {
        if (server.parameters) segment = segment.substr(0, segment.find(';'));
        if (server.trailing_dots && segment != "." && segment != "..")
            while (segment.ends_with('.') || segment.ends_with(' ')) segment.pop_back();
        if (segment == "..") {
            if (!segments.empty()) segments.pop_back();
        } else if (!segment.empty() && segment != ".") {
            segments.push_back(segment);
        }
        segment.clear();
    };
    for (char c : path) {
        if (c == '/' || (c == '\\' && server.backslashes)) close();
        else segment += server.lower_case ? ascii_lower(c) : c;
    }
    close();
    std::string out;
    for (const std::string& each : segments) out += "/" + each;
    return out.empty() ? "/" : out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    // First line: the path. Every other line: a denied one.
    std::string_view in(reinterpret_cast<const char*>(data), size);
    const std::size_t line = in.find('\n');
    const std::string path(in.substr(0, line));
    in.remove_prefix(line == std::string_view::npos ? in.size() : line + 1);
    PathRules rules;
    while (!in.empty() && rules.deny.size() < 8) {
        const std::size_t end = in.find('\n');
        const auto pattern = PathPattern::parse(in.substr(0, end));
        in.remove_prefix(end == std::string_view::npos ? in.size() : end + 1);
        if (!pattern) continue;
        const auto again = PathPattern::parse(pattern->text());
        if (!again || *again != *pattern) std::abort();
        rules.deny.push_back(*pattern);
    }
    if (rules.judge(path) != PathRules::Verdict::pass || rules.empty()) return 0;
    for (int bits = 0; bits < 64; ++bits) {
        const Lenient server{bits & 3, (bits & 4) != 0, (bits & 8) != 0, (bits & 16) != 0, (bits & 32) != 0};
        const std::string read = as_read_by(server, path);
        for (const PathPattern& denied : rules.deny)
            if (denied.covers(read)) std::abort();
    }
    return 0;
}
