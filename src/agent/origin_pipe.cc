#include "agent/origin_pipe.h"

#include <algorithm>
#include <cstring>

namespace sallyport {

void HeldOctets::drop(std::size_t count) {
    at_ += count;
    if (at_ < octets_.size()) return;
    at_ = 0;
    if (octets_.capacity() > kKept)
        std::string().swap(octets_);
    else
        octets_.clear();
}

OriginPipe::OriginPipe(Loop& loop, std::unique_ptr<IncomingStream> stream, OnOver on_over)
    : stream_(std::move(stream)), on_over_(std::move(on_over)), cut_stream_(loop, [this] {
          if (over_) return;
          stream_->reset();
          finish();
      }) {
    stream_->set_owner(*this);
}

OriginPipe::~OriginPipe() {
    if (over_) return;
    over_ = true;
    if (origin_) origin_->abort();
    stream_->reset();
}

void OriginPipe::connected(TransportPtr origin) {
    if (over_) return;
    origin_ = std::move(origin);
    stream_->accept();
    if (over_) return;
    origin_->set_owner(this);
    flush_to_origin();
}

void OriginPipe::refuse(const Refusal& refusal) {
    if (over_) return;
    stream_->refuse(refusal);
    finish();
}

// ---- visitor to origin

void OriginPipe::on_stream_octets(Octets octets) {
    if (over_) return;
    std::size_t sent = 0;
    if (origin_ && to_origin_.empty()) sent = send_to_origin(octets);
    if (sent < octets.size()) to_origin_.append(octets.subspan(sent));
    if (sent > 0) stream_->consumed(sent);
}

void OriginPipe::on_stream_end() {
    if (over_) return;
    stream_ended_ = true;
    end_origin_if_done();
    finish_if_done();
}

std::size_t OriginPipe::send_to_origin(Octets octets) {
    std::size_t sent = 0;
    while (sent < octets.size() && origin_->send_ready()) {
        const Octets piece = octets.subspan(sent, std::min(octets.size() - sent, Transport::kSendQuantum));
        origin_->send(piece);
        sent += piece.size();
    }
    return sent;
}

void OriginPipe::flush_to_origin() {
    if (const std::size_t sent = send_to_origin(to_origin_.view()); sent > 0) {
        to_origin_.drop(sent);
        stream_->consumed(sent);
        if (over_) return;
    }
    end_origin_if_done();
    finish_if_done();
}

// Waits for send_ready() too: close() may follow at once, and what is still inside the transport would be lost.
void OriginPipe::end_origin_if_done() {
    if (!stream_ended_ || origin_send_ended_ || !origin_ || !to_origin_.empty() || !origin_->send_ready()) return;
    origin_send_ended_ = true;
    origin_->end_send();
}

void OriginPipe::on_send_ready() {
    if (!over_) flush_to_origin();
}

void OriginPipe::on_stream_reset(const Error&) {
    if (over_) return;
    if (origin_) origin_->abort();
    finish();
}

// ---- origin to visitor

void OriginPipe::on_receive(MutableOctets octets) {
    if (over_) return;
    received_ = octets;
    stream_->wake();
    if (!over_ && !received_.empty()) {
        to_stream_.append(received_);
        origin_->pause_receive();
    }
    received_ = {};
}

Stream::Pulled OriginPipe::on_stream_pull(MutableOctets room) {
    if (over_) return {};
    std::size_t filled = 0;
    if (!to_stream_.empty()) {
        const Octets held = to_stream_.view();
        filled = std::min(held.size(), room.size());
        std::memcpy(room.data(), held.data(), filled);
        to_stream_.drop(filled);
        if (to_stream_.empty()) origin_->resume_receive();
    }
    if (const std::size_t count = std::min(received_.size(), room.size() - filled); count > 0) {
        std::memcpy(room.data() + filled, received_.data(), count);
        received_ = received_.subspan(count);
        filled += count;
    }
    const bool drained = to_stream_.empty() && received_.empty();
    if (drained && origin_cut_) cut_stream_.ask();
    if (!drained || !origin_ended_) return {filled, false};
    stream_send_ended_ = true;
    finish_if_done();
    return {filled, true};
}

void OriginPipe::on_receive_end() {
    if (over_) return;
    origin_ended_ = true;
    stream_->wake();
}

void OriginPipe::on_transport_error(const Error&) {
    if (over_) return;
    origin_cut_ = true;
    if (to_stream_.empty() && received_.empty()) cut_stream_.ask();
}

// ---- the end

void OriginPipe::finish_if_done() {
    if (over_ || !origin_send_ended_ || !stream_send_ended_) return;
    origin_->close();
    finish();
}

void OriginPipe::finish() {
    if (std::exchange(over_, true)) return;
    if (on_over_) on_over_(*this);
}

}  // namespace sallyport
