// chunked.h: the chunked transfer coding, both ways (RFC 9112 7.1). Decoding is incremental and strict: CRLF only,
// sizes of at most 16 hex digits and below 2^63, extensions at most 256 octets a chunk and dropped, trailer section
// at most 16 KiB with fields that may not stand there dropped (RFC 9110 6.5.1). Content is never copied. No I/O.
#pragma once
#include <cstddef>
#include <string>
#include <string_view>

#include "base/octets.h"
#include "base/result.h"
#include "wire/field_section.h"

namespace sallyport {

class ChunkedDecoder {
public:
    struct Step {
        std::size_t consumed = 0;  // drop these from the front of the input
        Octets content;            // points into the input; may be empty
        bool done = false;         // the message ended; what follows `consumed` belongs to the next one
    };

    // Takes octets up to the next piece of content, the end, or the end of `in`; call again with the rest until done or
    // nothing is left. Errc::protocol and Errc::too_large are final.
    Result<Step> feed(Octets in);

    bool done() const { return state_ == State::done; }
    const FieldSection& trailers() const { return trailers_; }  // complete once done
    void reset();

    static constexpr std::size_t kMaxExtensionOctets = 256;
    static constexpr std::size_t kMaxTrailerOctets = 16 * 1024;
    static constexpr std::size_t kMaxTrailerFields = 64;

private:
    enum class State {
        size_start,
        size,
        size_space,
        extension,
        size_lf,
        content,
        content_cr,
        content_lf,
        trailer,
        done,
        failed
    };
    Result<> take_size_octet(char c);
    Result<std::size_t> take_trailer_line(std::string_view in);
    Result<> add_trailer(std::string_view line);

    State state_ = State::size_start;
    ByteCount left_ = 0;  // of the current chunk
    int digits_ = 0;
    std::size_t extension_ = 0;
    std::size_t trailer_octets_ = 0;
    std::string line_;  // a trailer line that came in pieces
    FieldSection trailers_;
};

// Appends "<size in hex>CRLF". size must not be 0 (that would be the last chunk).
void write_chunk_head(std::string& out, ByteCount size);
inline constexpr std::string_view kChunkEnd = "\r\n";        // behind the octets of each chunk
inline constexpr std::string_view kLastChunk = "0\r\n\r\n";  // with an empty trailer section
void write_last_chunk(std::string& out, const FieldSection& trailers);

}  // namespace sallyport
