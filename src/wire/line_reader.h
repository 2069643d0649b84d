// line_reader.h: cuts incoming octets into lines that end in LF, of at most a stated length. No I/O.
#pragma once
#include <cstddef>
#include <string>
#include <string_view>

#include "base/octets.h"
#include "base/result.h"

namespace sallyport {

class LineReader {
public:
    explicit LineReader(std::size_t max_line = 64_KiB) : max_line_(max_line) {}

    // Calls on_line(std::string_view) -> Result<> for each complete line, without LF; the view lives for the call.
    // Stops at the first error. Errc::too_large: a line above the bound; final.
    template <class OnLine>
    Result<> feed(std::string_view in, OnLine&& on_line) {
        while (!in.empty()) {
            const std::size_t end = in.find('\n');
            if (partial_.size() + (end == std::string_view::npos ? in.size() : end) > max_line_)
                return fail(Errc::too_large, "line too long");
            if (end == std::string_view::npos) {
                partial_ += in;
                return {};
            }
            std::string_view line = in.substr(0, end);
            if (!partial_.empty()) line = partial_.append(line);
            const Result<> taken = on_line(line);
            partial_.clear();
            if (!taken) return taken;
            in.remove_prefix(end + 1);
        }
        return {};
    }

    bool in_line() const { return !partial_.empty(); }

private:
    std::size_t max_line_;
    std::string partial_;
};

}  // namespace sallyport
