#include "edge/request_sender.h"

#include <algorithm>
#include <cstring>

#include "edge/request_policy.h"
#include "wire/chunked.h"

namespace sallyport {
namespace {

constexpr std::size_t kBigHead = 16 * 1024;  // an idle connection keeps no more; arbitrary

// Moves as much of text[at..] as fits to the front of room.
std::size_t give(std::string_view text, std::size_t& at, MutableOctets room) {
    const std::size_t count = std::min(text.size() - at, room.size());
    std::memcpy(room.data(), text.data() + at, count);
    at += count;
    return count;
}

}  // namespace

std::string& RequestSender::begin() {
    head_.clear();
    limit(kUnlimited, nullptr);
    return head_;
}

void RequestSender::start() {
    head_at_ = staged_at_ = chunk_left_ = 0;
    staged_.clear();
    content_octets_ = 0;
    end_staged_ = done_ = false;
}

void RequestSender::shrink() {
    if (head_.capacity() > kBigHead) std::string().swap(head_);
    if (staged_.capacity() > kBigHead) std::string().swap(staged_);
}

void RequestSender::stage_chunk(std::size_t octets) {
    staged_at_ = 0;
    write_chunk_head(staged_, octets);
    chunk_left_ = octets;
}

void RequestSender::stage_end(const ContentReader& content) {
    end_staged_ = true;
    if (content.framing().kind != Framing::Kind::chunked) return;
    if (content.trailers().empty()) {
        staged_ += kLastChunk;
        return;
    }
    FieldSection trailers = content.trailers();
    trailers.remove_if(is_untrusted);
    if (edits_) edits_->drop_from_trailers(trailers);
    write_last_chunk(staged_, trailers);
}

Result<std::size_t> RequestSender::pull(MutableOctets room, ContentReader& content, ReceivedOctets& in) {
    const bool chunked = content.framing().kind == Framing::Kind::chunked;
    std::size_t filled = 0;
    while (filled < room.size() && !done_) {
        const MutableOctets space = room.subspan(filled);
        if (head_at_ < head_.size()) {
            filled += give(head_, head_at_, space);
        } else if (staged_at_ < staged_.size()) {
            filled += give(staged_, staged_at_, space);
            if (staged_at_ == staged_.size()) {
                staged_.clear();
                staged_at_ = 0;
            }
        } else if (end_staged_) {
            break;
        } else {
            const Result<Octets> piece = content.next(in);
            if (!piece) return std::unexpected(piece.error());
            if (content.done()) {
                stage_end(content);
                continue;
            }
            if (piece->empty()) return filled;
            if (piece->size() > most_content_ - content_octets_) return fail(Errc::too_large, "more content than the route takes");
            if (chunked && chunk_left_ == 0) {
                stage_chunk(piece->size());
                continue;
            }
            const std::size_t count = std::min(piece->size(), space.size());
            std::memcpy(space.data(), piece->data(), count);
            content.took(in, count);
            content_octets_ += count;
            filled += count;
            if (!chunked) continue;
            chunk_left_ -= count;
            if (chunk_left_ == 0) staged_ = kChunkEnd;
        }
    }
    if (head_at_ == head_.size() && staged_.empty() && !end_staged_ && content.done() && !chunked) end_staged_ = true;
    done_ = end_staged_ && staged_.empty() && head_at_ == head_.size();
    return filled;
}

}  // namespace sallyport
