// content_reader.h: takes the content of one message out of the octets that carry it (RFC 9112 6.3, 7.1), piece by piece
// where they lie. Used for a visitor's request and for an origin's answer. Pure.
// Over HTTP/2 the frames say where content ends, so the octets are nothing but content: start_framed().
#pragma once
#include <cstddef>

#include "base/octets.h"
#include "base/result.h"
#include "edge/received_octets.h"
#include "wire/chunked.h"
#include "wire/http1_message.h"

namespace sallyport {

class ContentReader {
public:
    void start(const Framing& framing);
    // `framing` is how the content goes on from here. end_framed(): what is in the input is the rest of it.
    void start_framed(const Framing& framing);
    void end_framed(const ReceivedOctets& in, FieldSection trailers);

    // Content at the very front of `in`; framing before it is consumed. Empty: done(), or more octets are needed.
    // Errors (of the chunked coding) are final.
    Result<Octets> next(ReceivedOctets& in);
    // `count` octets of the piece that next() gave have been used.
    void took(ReceivedOctets& in, std::size_t count);

    // The connection has ended in order. Errc::end_of_stream if that cuts the content short.
    Result<> end_of_input();

    bool done() const { return done_; }
    // Of content_length: what is still to come.
    ByteCount left() const { return left_; }
    const Framing& framing() const { return framing_; }
    const FieldSection& trailers() const { return framed_ ? trailers_ : decoder_.trailers(); }  // of chunked, once done

private:
    Framing framing_;
    bool done_ = true;
    ByteCount left_ = 0;
    std::size_t piece_ = 0;   // of chunked: content found at the front of the input and not taken yet
    std::size_t behind_ = 0;  // and framing octets right behind it
    bool last_ = false;       // and the content ends there
    bool framed_ = false;
    bool framed_end_ = false;
    FieldSection trailers_;
    ChunkedDecoder decoder_;
};

}  // namespace sallyport
