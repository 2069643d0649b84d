#include "wire/http_answer_reader.h"

#include <algorithm>

namespace sallyport {

Result<bool> HttpAnswerReader::feed(Octets in) {
    if (done_) return true;
    if (in_content_) return take_content(as_text(in));
    unread_ += as_text(in);
    for (;;) {
        const auto head = reader_.read_response(unread_, "GET", head_);
        if (!head) {
            if (head.error().code == Errc::need_more) return false;
            return std::unexpected(head.error());
        }
        const std::string rest = unread_.substr(*head);
        unread_ = rest;
        if (head_.is_interim()) continue;
        answer_.status = head_.status;
        in_content_ = true;
        unread_.clear();
        if (!head_.framing.has_content()) return done_ = answer_.complete = true;
        return take_content(rest);
    }
}

Result<bool> HttpAnswerReader::take_content(std::string_view in) {
    if (head_.framing.kind == Framing::Kind::chunked) return take_chunked(as_octets(in));
    const bool counted = head_.framing.kind == Framing::Kind::content_length;
    const ByteCount left = counted ? head_.framing.length - answer_.content.size() : kMaxContent;
    const std::size_t room = kMaxContent - answer_.content.size();
    answer_.content += in.substr(0, std::min<ByteCount>({in.size(), left, room}));
    answer_.complete = counted && answer_.content.size() == head_.framing.length;
    return done_ = answer_.complete || answer_.content.size() == kMaxContent;
}

Result<bool> HttpAnswerReader::take_chunked(Octets in) {
    while (!in.empty() && !done_) {
        const auto step = chunked_.feed(in);
        if (!step) return std::unexpected(step.error());
        in = in.subspan(step->consumed);
        const std::size_t room = kMaxContent - answer_.content.size();
        answer_.content += as_text(step->content).substr(0, room);
        answer_.complete = step->done;
        done_ = step->done || answer_.content.size() == kMaxContent;
    }
    return done_;
}

Result<> HttpAnswerReader::end() {
    if (done_) return {};
    if (!in_content_ || head_.framing.kind != Framing::Kind::until_close)
        return fail(Errc::end_of_stream, "the answer ended before it was whole");
    done_ = answer_.complete = true;
    return {};
}

}  // namespace sallyport
