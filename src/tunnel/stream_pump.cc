#include "tunnel/stream_pump.h"

#include <algorithm>
#include <cstring>

namespace sallyport {

void HeldOctets::drop(std::size_t count) {
    at_ += count;
    counted_.set(octets_.size() - at_);
    if (at_ < octets_.size()) return;
    at_ = 0;
    if (octets_.capacity() > kKept)
        std::string().swap(octets_);
    else
        octets_.clear();
}

StreamPump::StreamPump(Loop& loop, Owner& owner) : owner_(owner), cut_stream_(loop, [this] {
                                                       if (over_) return;
                                                       stream_->reset();
                                                       finish();
                                                   }) {}

StreamPump::~StreamPump() { cut(); }

void StreamPump::take(StreamPtr stream) { stream_ = std::move(stream); }

void StreamPump::connect(TransportPtr connection) {
    connection_ = std::move(connection);
    connection_->set_owner(this);
    if (!to_stream_.empty()) {
        connection_->pause_receive();
        stream_->wake();
        if (over_) return;
    }
    flush_to_connection();
}

void StreamPump::cut() {
    if (std::exchange(over_, true)) return;
    if (connection_) connection_->abort();
    if (stream_) stream_->reset();
}

// ---- stream to connection

void StreamPump::on_stream_octets(Octets octets) {
    if (over_) return;
    from_stream_count_ += octets.size();
    if (shared_from_stream_) shared_from_stream_->add(octets.size());
    std::size_t sent = 0;
    if (connection_ && to_connection_.empty()) sent = send_to_connection(octets);
    if (sent < octets.size()) to_connection_.append(octets.subspan(sent));
    if (sent > 0) stream_->consumed(sent);
}

void StreamPump::on_stream_end() {
    if (over_) return;
    stream_ended_ = true;
    end_connection_if_done();
    finish_if_done();
}

std::size_t StreamPump::send_to_connection(Octets octets) {
    std::size_t sent = 0;
    while (sent < octets.size() && connection_->send_ready()) {
        const Octets piece = octets.subspan(sent, std::min(octets.size() - sent, Transport::kSendQuantum));
        connection_->send(piece);
        sent += piece.size();
    }
    return sent;
}

void StreamPump::flush_to_connection() {
    if (const std::size_t sent = send_to_connection(to_connection_.view()); sent > 0) {
        to_connection_.drop(sent);
        stream_->consumed(sent);
        if (over_) return;
    }
    end_connection_if_done();
    finish_if_done();
}

// Waits for send_ready() too: close() may follow at once, and what is still inside the transport would be lost.
void StreamPump::end_connection_if_done() {
    if (!stream_ended_ || connection_send_ended_ || !connection_ || !to_connection_.empty() || !connection_->send_ready()) return;
    connection_send_ended_ = true;
    connection_->end_send();
}

void StreamPump::on_send_ready() {
    if (!over_) flush_to_connection();
}

void StreamPump::on_stream_reset(const Error&) {
    if (over_) return;
    if (connection_) connection_->abort();
    finish();
}

void StreamPump::on_stream_refused(const Refusal& refusal) {
    if (std::exchange(over_, true)) return;
    if (connection_) connection_->abort();
    owner_.on_pump_refused(refusal);
}

// ---- connection to stream

void StreamPump::on_receive(MutableOctets octets) {
    if (over_) return;
    received_ = octets;
    stream_->wake();
    if (!over_ && !received_.empty()) {
        to_stream_.append(received_);
        connection_->pause_receive();
    }
    received_ = {};
}

Stream::Pulled StreamPump::on_stream_pull(MutableOctets room) {
    if (over_) return {};
    std::size_t filled = 0;
    if (!to_stream_.empty()) {
        const Octets held = to_stream_.view();
        filled = std::min(held.size(), room.size());
        std::memcpy(room.data(), held.data(), filled);
        to_stream_.drop(filled);
        if (to_stream_.empty() && connection_) connection_->resume_receive();
    }
    if (const std::size_t count = std::min(received_.size(), room.size() - filled); count > 0) {
        std::memcpy(room.data() + filled, received_.data(), count);
        received_ = received_.subspan(count);
        filled += count;
    }
    to_stream_count_ += filled;
    if (shared_to_stream_) shared_to_stream_->add(filled);
    const bool drained = to_stream_.empty() && received_.empty();
    if (drained && connection_cut_) cut_stream_.ask();
    if (!drained || !connection_ended_) return {filled, false};
    stream_send_ended_ = true;
    finish_if_done();
    return {filled, true};
}

void StreamPump::on_receive_end() {
    if (over_) return;
    connection_ended_ = true;
    stream_->wake();
}

void StreamPump::on_transport_error(const Error&) {
    if (over_) return;
    connection_cut_ = true;
    if (to_stream_.empty() && received_.empty()) cut_stream_.ask();
}

// ---- the end

void StreamPump::finish_if_done() {
    if (over_ || !connection_send_ended_ || !stream_send_ended_) return;
    connection_->close();
    finish();
}

void StreamPump::finish() {
    if (std::exchange(over_, true)) return;
    owner_.on_pump_over();
}

}  // namespace sallyport
