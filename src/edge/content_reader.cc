#include "edge/content_reader.h"

#include <algorithm>

namespace sallyport {

void ContentReader::start(const Framing& framing) {
    framing_ = framing;
    left_ = framing.kind == Framing::Kind::content_length ? framing.length : 0;
    done_ = !framing.has_content();
    piece_ = behind_ = 0;
    last_ = framed_ = false;
    if (framing.kind == Framing::Kind::chunked) decoder_.reset();
}

void ContentReader::start_framed(const Framing& framing) {
    framing_ = framing;
    done_ = framing.kind == Framing::Kind::none;
    left_ = 0;
    framed_ = true;
    framed_end_ = done_;
    trailers_.clear();
}

void ContentReader::end_framed(const ReceivedOctets& in, FieldSection trailers) {
    trailers_ = std::move(trailers);
    framed_end_ = true;
    if (in.empty()) done_ = true;
}

Result<Octets> ContentReader::next(ReceivedOctets& in) {
    if (done_) return Octets{};
    const Octets front = in.front();
    if (framed_) return front;
    switch (framing_.kind) {
        case Framing::Kind::none: return Octets{};
        case Framing::Kind::content_length:
            return front.first(static_cast<std::size_t>(std::min<ByteCount>(front.size(), left_)));
        case Framing::Kind::until_close: return front;
        case Framing::Kind::chunked: break;
    }
    if (piece_ > 0) return front.first(piece_);
    while (!in.empty()) {
        const Octets octets = in.front();
        const Result<ChunkedDecoder::Step> step = decoder_.feed(octets);
        if (!step) return std::unexpected(step.error());
        if (step->content.empty()) {
            in.consume(step->consumed);
            if (step->done) {
                done_ = true;
                break;
            }
            continue;
        }
        const auto before = static_cast<std::size_t>(step->content.data() - octets.data());
        in.consume(before);
        piece_ = step->content.size();
        behind_ = step->consumed - before - piece_;
        last_ = step->done;
        return in.front().first(piece_);
    }
    return Octets{};
}

void ContentReader::took(ReceivedOctets& in, std::size_t count) {
    in.consume(count);
    if (framed_) {
        done_ = framed_end_ && in.empty();
        return;
    }
    if (framing_.kind == Framing::Kind::content_length) {
        left_ -= count;
        done_ = left_ == 0;
    } else if (framing_.kind == Framing::Kind::chunked) {
        piece_ -= count;
        if (piece_ > 0) return;
        in.consume(behind_);
        behind_ = 0;
        done_ = last_;
    }
}

Result<> ContentReader::end_of_input() {
    if (framing_.kind == Framing::Kind::until_close) done_ = true;
    if (!done_) return fail(Errc::end_of_stream, "cut off within its content");
    return {};
}

}  // namespace sallyport
