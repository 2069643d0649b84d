// request_sender.h: gives out one request, written canonically, in pieces of whatever size there is room for: the head,
// then the content as it comes in, framed anew (chunked stays chunked, but with our own chunks), then the trailers. Pure.
#pragma once
#include <cstddef>
#include <string>

#include "base/octets.h"
#include "base/result.h"
#include "edge/content_reader.h"
#include "edge/field_edits.h"
#include "edge/received_octets.h"

namespace sallyport {

class RequestSender {
public:
    // The head to be sent first; write into it (it is empty), then call start(). Kept until the next begin(), so that a
    // request without content sent can be sent once more.
    std::string& begin();
    void start();
    void start_again() { start(); }
    // What the route adds to it, until the next begin(): at most so much content, and fields that trailers may not bring in.
    void limit(ByteCount most_content, const FieldEdits* edits) {
        most_content_ = most_content;
        edits_ = edits;
    }

    // Fills the front of `room`, taking content out of `in` through `content`. 0: nothing is there now, or done().
    // An error is the visitor's (broken chunks; Errc::too_large: more than limit() allows) and final.
    Result<std::size_t> pull(MutableOctets room, ContentReader& content, ReceivedOctets& in);

    // Gives a big head's memory back; the request can't be sent again.
    void shrink();

    bool done() const { return done_; }                        // the last octet was given out
    bool begun() const { return head_at_ > 0; }
    bool content_begun() const { return content_octets_ > 0; }  // content was given out: it isn't ours any more
    ByteCount content_octets() const { return content_octets_; }

private:
    static constexpr ByteCount kUnlimited = ~ByteCount{0};
    void stage_chunk(std::size_t octets);
    void stage_end(const ContentReader& content);

    std::string head_;
    std::size_t head_at_ = 0;
    std::string staged_;  // framing octets to be given out next
    std::size_t staged_at_ = 0;
    std::size_t chunk_left_ = 0;
    ByteCount content_octets_ = 0;
    ByteCount most_content_ = kUnlimited;
    const FieldEdits* edits_ = nullptr;
    bool end_staged_ = false;
    bool done_ = false;
};

}  // namespace sallyport
