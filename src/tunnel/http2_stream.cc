#include "tunnel/http2_stream.h"

#include <array>

#include "net/buffer_budget.h"
#include "tunnel/http2_field.h"
#include "wire/proxy_status.h"

namespace sallyport {
namespace {

constexpr std::string_view kAgentName = "sallyport-agent";

std::string proxy_status_of(const Refusal& refusal) {
    std::string text(kAgentName);
    text += "; error=";
    text += refusal.cause.empty() ? "proxy_internal_error" : refusal.cause;
    if (refusal.details.empty()) return text;
    text += "; details=\"";
    for (const char c : std::string_view(refusal.details).substr(0, kMaxProxyStatusDetails)) {
        if (c == '"' || c == '\\') text += '\\';
        text += c >= 0x20 && c < 0x7f ? c : '?';
    }
    return text += '"';
}

}  // namespace

void Http2Stream::wake() {
    if (!session_) return;
    if (deferred_) {
        deferred_ = false;
        nghttp2_session_resume_data(session_->session_.get(), id_);
    }
    session_->pump();
}

void Http2Stream::consumed(ByteCount octets) {
    if (!session_) return;
    const ByteCount taken = std::min(octets, unconsumed_);
    unconsumed_ -= taken;
    BufferBudget::release(taken);
    drained_ += octets;
    nghttp2_session_consume_stream(session_->session_.get(), id_, static_cast<std::size_t>(octets));
    session_->grow_window(*this);
    session_->pump_soon_.ask();
}

void Http2Stream::reset() {
    owner_ = nullptr;
    if (!session_) return;
    Http2Session& session = *session_;
    const std::int32_t id = id_;
    detach();
    session.reset(id, NGHTTP2_CANCEL);
}

void Http2Stream::detach() {
    Http2Session* session = std::exchange(session_, nullptr);
    if (!session) return;
    session->streams_.erase(this);
    BufferBudget::release(std::exchange(unconsumed_, 0));
    session->granted_ -= window_ - session->settings_.first_window;
    nghttp2_session_set_stream_user_data(session->session_.get(), id_, nullptr);
    // The connection's credit went back on receipt; the stream's own dies with the stream.
}

void Http2Stream::accept() {
    if (!session_ || answered_) return;
    answered_ = true;
    const std::array fields{field(":status", "200")};
    nghttp2_data_provider provider{};
    provider.source.ptr = this;
    provider.read_callback = Http2Session::read_callback;
    nghttp2_submit_response(session_->session_.get(), id_, fields.data(), fields.size(), &provider);
    session_->pump_soon_.ask();
}

void Http2Stream::refuse(const Refusal& refusal) {
    if (!session_ || answered_) return;
    const std::string status = std::to_string(refusal.status);
    const std::string proxy_status = proxy_status_of(refusal);
    const std::array fields{field(":status", status), field("proxy-status", proxy_status)};
    nghttp2_submit_response(session_->session_.get(), id_, fields.data(), fields.size(), nullptr);
    session_->pump_soon_.ask();
    owner_ = nullptr;
    // The relay resets the stream when it has read the answer; what it has sent until then is dropped on receipt. (A reset
    // of ours would overtake the answer in nghttp2's queue.)
    detach();
}

}  // namespace sallyport
