#include "agent/http_call.h"

#include <algorithm>

namespace sallyport {

HttpCall::HttpCall(Loop& loop, TransportPtr transport, Request request, Owner& owner)
    : transport_(std::move(transport)),
      request_(std::move(request)),
      owner_(owner),
      idle_(loop, [this] { over(fail(Errc::timeout, "nothing came or went for " + std::to_string(request_.idle.count() / 1000) + " s")); }),
      limit_(loop, [this] { over(fail(Errc::timeout, "not done after " + std::to_string(request_.limit.count() / 1000) + " s")); }) {
    idle_.start(request_.idle);
    limit_.start(request_.limit);
    transport_->set_owner(this);
    std::string head;
    write_request_head(head, request_.head, request_.connection);
    transport_->send(as_octets(head));  // a fresh connection takes a head at once
    send_more();
}

HttpCall::~HttpCall() { transport_->abort(); }

void HttpCall::send_more() {
    std::string piece;
    while (!over_ && sent_ < request_.head.framing.length && transport_->send_ready()) {
        piece.resize(std::min<ByteCount>(request_.head.framing.length - sent_, 64_KiB));
        request_.fill(std::as_writable_bytes(std::span(piece)));
        transport_->send(as_octets(piece));
        sent_ += piece.size();
        idle_.start(request_.idle);
    }
}

void HttpCall::on_receive(MutableOctets octets) {
    if (over_) return;
    idle_.start(request_.idle);
    if (in_content_) return take_content(octets);
    received_ += as_text(octets);
    while (!in_content_) {
        const auto size = reader_.read_response(received_, request_.head.method, head_);
        if (!size && size.error().code == Errc::need_more) return;
        if (!size) return over(fail(Errc::protocol, "the answer is no HTTP: " + size.error().detail));
        received_.erase(0, *size);
        in_content_ = !head_.is_interim();
    }
    owner_.on_head(head_);
    const std::string rest = std::exchange(received_, {});
    if (!over_) take_content(as_octets(rest));
}

void HttpCall::take_content(Octets octets) {
    if (head_.status == 101 || head_.framing.kind == Framing::Kind::until_close) {
        if (!octets.empty()) owner_.on_content(octets);
        return;
    }
    if (head_.framing.kind != Framing::Kind::chunked) {
        const std::size_t count = std::min<ByteCount>(octets.size(), head_.framing.length - taken_);
        taken_ += count;
        if (count > 0) owner_.on_content(octets.first(count));
        if (!over_ && taken_ == head_.framing.length) over({});
        return;
    }
    while (!over_ && !octets.empty()) {
        const auto step = chunked_.feed(octets);
        if (!step) return over(fail(Errc::protocol, "the answer's chunks are broken: " + step.error().detail));
        taken_ += step->content.size();
        if (!step->content.empty()) owner_.on_content(step->content);
        if (step->done) return over({});
        octets = octets.subspan(step->consumed);
    }
}

void HttpCall::on_receive_end() {
    if (over_) return;
    if (in_content_ && (head_.status == 101 || head_.framing.kind == Framing::Kind::until_close)) return over({});
    over(fail(Errc::end_of_stream, in_content_ ? "the answer ended too early" : "the connection was closed without an answer"));
}

void HttpCall::on_transport_error(const Error& error) { over(std::unexpected(error)); }

void HttpCall::over(Result<> how) {
    if (std::exchange(over_, true)) return;
    idle_.cancel();
    limit_.cancel();
    transport_->set_owner(nullptr);
    owner_.on_over(std::move(how));
}

}  // namespace sallyport
