// http_answer_reader.h: one HTTP/1.1 answer to a GET of ours, read into memory, bounded. What is beyond the bound of
// content is not waited for: a probe needs the status and the beginning. No I/O.
#pragma once
#include <string>

#include "base/octets.h"
#include "base/result.h"
#include "wire/chunked.h"
#include "wire/http1_message.h"
#include "wire/http1_parser.h"

namespace sallyport {

struct HttpAnswer {
    int status = 0;
    std::string content;    // without coding of the transfer
    bool complete = false;  // false: cut at the bound
};

class HttpAnswerReader {
public:
    static constexpr std::size_t kMaxHead = 16_KiB;
    static constexpr std::size_t kMaxContent = 64_KiB;

    // True once answer() is there; octets behind it are not looked at. Errors are final.
    Result<bool> feed(Octets in);
    // The peer ended its direction. Errc::end_of_stream if the answer is not whole by that.
    Result<> end();

    const ResponseHead& head() const { return head_; }
    HttpAnswer& answer() { return answer_; }

private:
    Result<bool> take_content(std::string_view in);
    Result<bool> take_chunked(Octets in);

    HeadReader reader_{{.octets = kMaxHead, .start_line = 4_KiB, .fields = 128, .connection_options = 32}};
    ResponseHead head_;
    ChunkedDecoder chunked_;
    std::string unread_;  // of a head
    HttpAnswer answer_;
    bool in_content_ = false;
    bool done_ = false;
};

}  // namespace sallyport
