#include "edge/answer_writer.h"

#include <algorithm>

#include "wire/chunked.h"

namespace sallyport {
namespace {

constexpr std::size_t kChunkFraming = 16;  // the longest size line that a piece of at most kSendQuantum gets, and CRLF

}  // namespace

void AnswerWriter::head(const ResponseHead& head, ConnectionOption connection) {
    chunked_ = head.framing.kind == Framing::Kind::chunked;
    content_octets_ = 0;
    write_response_head(gathered_, head, connection);
}

std::size_t AnswerWriter::content(Octets octets) {
    if (octets.empty()) return 0;
    if (chunked_) {
        if (gathered_.size() + kChunkFraming >= Transport::kSendQuantum) flush();
        const std::size_t room = Transport::kSendQuantum - gathered_.size() - kChunkFraming;
        octets = octets.first(std::min(octets.size(), room));
        write_chunk_head(gathered_, octets.size());
    }
    const std::size_t taken = put(octets, chunked_ ? kChunkEnd : std::string_view{});
    content_octets_ += taken;
    return taken;
}

// With `behind` given all of `octets` must fit beside what is gathered; else a part is taken.
std::size_t AnswerWriter::put(Octets octets, std::string_view behind) {
    if (octets.size() <= kWorthCopying) {
        gathered_ += as_text(octets);
        gathered_ += behind;
        if (gathered_.size() >= kMostGathered) flush();
        return octets.size();
    }
    const std::size_t count = std::min(octets.size(), Transport::kSendQuantum - gathered_.size());
    transport_->send(as_octets(gathered_), octets.first(count));
    gathered_ = behind;
    return count;
}

void AnswerWriter::whole(std::string_view octets) {
    gathered_ += octets;
    content_octets_ += octets.size();
}

void AnswerWriter::end(const FieldSection& trailers) {
    if (chunked_) write_last_chunk(gathered_, trailers);
    chunked_ = false;
}

void AnswerWriter::flush() {
    std::size_t sent = 0;
    while (sent < gathered_.size() && transport_->send_ready()) {
        const std::size_t count = std::min(gathered_.size() - sent, Transport::kSendQuantum);
        transport_->send(as_octets(gathered_).subspan(sent, count));
        sent += count;
    }
    gathered_.erase(0, sent);
    if (gathered_.empty() && gathered_.capacity() > kMostGathered) std::string().swap(gathered_);
}

}  // namespace sallyport
