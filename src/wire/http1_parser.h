// http1_parser.h: strict reading of HTTP/1.0 and 1.1 heads (RFC 9112). Whatever two implementations could read in two
// ways is refused: bare CR or LF, NUL and controls, obs-fold, space before the colon, Content-Length beside
// Transfer-Encoding or more than once, any transfer coding but a lone "chunked" on 1.1, a Host that is missing, doubled
// or unlike the authority of an absolute-form, a fragment or space in the target. One empty line before a request
// line is skipped (RFC 9112 2.2). No I/O.
#pragma once
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "base/octets.h"
#include "base/result.h"
#include "wire/http1_message.h"

namespace sallyport {

struct HeadLimits {
    std::size_t octets = 64_KiB;      // of the whole head, start line and empty line included
    std::size_t start_line = 32_KiB;  // a longer target is 414
    std::size_t fields = 128;
    std::size_t connection_options = 32;  // members of Connection; each is compared with every field
};

// Reads one head out of octets that arrive bit by bit. Give it everything unread so far at each call, from the head's
// first octet on; it remembers how far it has looked, so that a head fed octet by octet costs linear time.
class HeadReader {
public:
    explicit HeadReader(HeadLimits limits = {}) : limits_(limits) {}

    // How many octets the head took; content, if any, begins behind them. The reader is then ready for the next head.
    // Errc::need_more: call again with more. Errc::protocol, Errc::too_large: the connection is beyond use; see
    // refusal_status().
    Result<std::size_t> read_request(std::string_view in, RequestHead& out);

    // request_method decides whether the answer has content (HEAD, CONNECT). Interim answers are heads too.
    Result<std::size_t> read_response(std::string_view in, std::string_view request_method, ResponseHead& out);

    // After a refused request, the status to answer with: 400, 414, 431, 501 (unknown transfer coding) or 505.
    int refusal_status() const { return refusal_status_; }

    bool started() const { return scanned_ > 0; }  // octets of an unfinished head have been seen
    void reset();

private:
    struct Line {
        std::uint32_t at;
        std::uint32_t length;  // without CRLF
    };
    Result<std::size_t> find_end(std::string_view in, bool is_request);
    Result<> parse_request_line(std::string_view line, RequestHead& out);
    Result<> parse_target(std::string_view target, RequestHead& out);
    Result<> parse_status_line(std::string_view line, ResponseHead& out);
    Result<> parse_fields(std::string_view in, std::size_t end, FieldSection& out);
    struct Facts;
    Result<> gather(const FieldSection& fields, int version_minor, Facts& facts);
    Result<> settle_authority(const Facts& facts, RequestHead& out);
    std::unexpected<Error> refuse(int status, Errc code, const char* why);

    HeadLimits limits_;
    std::vector<Line> lines_;  // start line first, the empty line not among them
    std::size_t start_ = 0;    // 2 behind a skipped empty line
    std::size_t line_at_ = 0;  // where the line being scanned begins
    std::size_t scanned_ = 0;  // all before this position has been looked at for LF
    int refusal_status_ = 400;
};

// The same for a head that is there at once.
Result<std::size_t> parse_request_head(std::string_view in, RequestHead& out, HeadLimits limits = {});
Result<std::size_t> parse_response_head(std::string_view in, std::string_view request_method, ResponseHead& out,
                                        HeadLimits limits = {});

}  // namespace sallyport
