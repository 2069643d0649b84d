// path_pattern.h: which paths a rule speaks of, written as people read them (not percent-encoded). "/a/b" is that path and all
// below it; "/a/b*" is every path that begins so; "/" is all. Pure.
#pragma once
#include <string>
#include <string_view>

#include "base/result.h"

namespace sallyport {

class PathPattern {
public:
    // Errc::invalid_argument with a text for people.
    static Result<PathPattern> parse(std::string_view text);

    // Octet for octet, on segment borders. For rules that let in. `reading`: as read_path() gives it.
    bool covers(std::string_view reading) const;

    // And whatever a lenient origin could take for such a path: letters in any case, any character beyond ASCII for any one
    // character, and behind "/a/b" anything but a letter, digit, '-' or '_' ("/a/b.json", "/a/b;x", "/a/b "). For rules that keep out.
    bool covers_loosely(std::string_view reading) const;

    std::string text() const { return beginning_ + (open_ended_ ? "*" : ""); }
    bool operator==(const PathPattern&) const = default;

private:
    std::string beginning_;
    bool open_ended_ = false;  // ends in '*'
};

}  // namespace sallyport
