#include "tunnel/pipe.h"

#include <algorithm>
#include <cassert>
#include <cstring>

#include "base/random.h"

namespace sallyport {
namespace {

constexpr ByteCount kAcknowledgeEvery = 256_KiB;  // a whole receive; a sixteenth of what the peer keeps
constexpr std::size_t kMostUrgent = 16 * 1024;  // a peer that pings without reading gets no further

MaskingKey new_masking_key() {
    // Random keys in stock: one call to the generator serves a thousand frames.
    thread_local std::array<MaskingKey, 1024> stock;
    thread_local std::size_t used = stock.size();
    if (used == stock.size()) {
        fill_random(std::as_writable_bytes(std::span(stock)));
        used = 0;
    }
    return stock[used++];
}

}  // namespace

Pipe::Pipe(Loop& loop, TunnelRole role, TransportPtr transport, std::string received, const TunnelSettings& settings,
           Owner& owner)
    : loop_(loop),
      role_(role),
      transport_(std::move(transport)),
      peer_address_(transport_->peer_address()),
      received_at_start_(std::move(received)),
      settings_(settings),
      owner_(&owner),
      websocket_(role == TunnelRole::relay ? WebSocketRole::server : WebSocketRole::client),
      retained_(settings.retained, loop.buffers().tunnel_chunks),
      heard_at_(loop.now()),
      acknowledge_(loop, [this] { queue_acknowledgement(); flush(); }),
      heartbeat_(loop, [this] { on_heartbeat(); }),
      flush_(loop, [this] { flush(); }) {}

Pipe::~Pipe() { drop_connection(); }

void Pipe::start() {
    pace_ = {};  // another connection, maybe another line
    transport_->limit_unsent(pace_.unsent_in_kernel());
    transport_->set_owner(this);
    if (!received_at_start_.empty()) {
        std::string received = std::move(received_at_start_);
        received_at_start_.clear();
        on_receive(std::as_writable_bytes(std::span(received)));
    }
    if (closed_ || !transport_) return;
    ping();
}

// ---- connections come and go

// May be called from inside one of the connection's own calls.
void Pipe::drop_connection() {
    heartbeat_.cancel();
    acknowledge_.cancel();
    urgent_.clear();
    if (!transport_) return;
    transport_->close();
    loop_.dispose(std::move(transport_));
}

void Pipe::lose(const Error& error) {
    if (closed_ || !transport_) return;
    drop_connection();
    owner_->on_pipe_lost(error);
}

ByteCount Pipe::freeze() {
    drop_connection();
    return received_total_;
}

Result<> Pipe::resume(TransportPtr transport, std::string received, ByteCount peer_received) {
    if (closed_) return sallyport::fail(Errc::reset, "the session is over");
    if (!retained_.acknowledge(peer_received) || !retained_.rewind(peer_received))
        return sallyport::fail(Errc::protocol, "can't resume from there");
    drop_connection();
    transport_ = std::move(transport);
    peer_address_ = transport_->peer_address();
    websocket_ = WebSocketDecoder(role_ == TunnelRole::relay ? WebSocketRole::server : WebSocketRole::client);
    decoder_ = {};
    acknowledged_total_ = received_total_;  // the handshake has told the peer
    heard_at_ = loop_.now();
    ping_under_way_ = false;
    received_at_start_ = std::move(received);
    start();
    if (!transport_ || closed_) return {};
    flush_soon();
    tell_room();
    return {};
}

// ---- receiving

void Pipe::on_receive(MutableOctets octets) {
    heard_at_ = loop_.now();
    while (!octets.empty() && !closed_ && transport_) {
        const auto step = websocket_.feed(octets);
        if (!step) return fail(step.error());
        octets = octets.subspan(step->consumed);
        switch (step->kind) {
            case WebSocketDecoder::Step::Kind::need_more: break;
            case WebSocketDecoder::Step::Kind::data: take_frame_piece(*step); break;
            case WebSocketDecoder::Step::Kind::ping: queue_frame(WebSocketOpcode::pong, step->payload); break;
            case WebSocketDecoder::Step::Kind::pong: break;
            case WebSocketDecoder::Step::Kind::close: {
                const auto close = parse_websocket_close(step->payload);
                const std::string reason = close && !close->reason.empty() ? close->reason : "closed by the other side";
                // 1001 and above are trouble on the way (an intermediary going away too); 1000 is the peer's own end.
                if (close && close->code == 1000) return fail({Errc::end_of_stream, reason});
                return lose({Errc::reset, reason});
            }
        }
    }
    if (!closed_ && transport_) acknowledge_soon();
}

void Pipe::take_frame_piece(const WebSocketDecoder::Step& step) {
    if (step.opcode != WebSocketOpcode::binary) return fail({Errc::protocol, "text message in a tunnel"});
    const auto event = decoder_.feed(step.payload, {step.message_begin, step.message_end});
    if (!event) return fail(event.error());
    take_event(*event);
}

void Pipe::take_event(const PipeEvent& event) {
    switch (event.kind) {
        case PipeEvent::Kind::none: break;
        case PipeEvent::Kind::data:
            received_total_ += event.data.size();
            owner_->on_pipe_octets(event.data);
            break;
        case PipeEvent::Kind::ack:
            if (!retained_.acknowledge(event.value)) return fail({Errc::protocol, "acknowledges octets that were never sent"});
            tell_room();
            break;
        case PipeEvent::Kind::ping: {
            const FixedPipeFrame pong = write_pipe_frame(PipeFrameType::pong, event.value);
            queue_frame(WebSocketOpcode::binary, pong);
            break;
        }
        case PipeEvent::Kind::pong:
            if (!ping_under_way_ || event.value != ping_number_) break;
            ping_under_way_ = false;
            round_trip_ = std::chrono::duration_cast<std::chrono::microseconds>(loop_.exact_now() - pinged_at_);
            break;
    }
}

void Pipe::acknowledge_soon() {
    const ByteCount owed = received_total_ - acknowledged_total_;
    if (owed >= kAcknowledgeEvery) queue_acknowledgement();
    else if (owed > 0 && !acknowledge_.running()) acknowledge_.start(settings_.ack_delay);
}

void Pipe::queue_acknowledgement() {
    if (received_total_ == acknowledged_total_) return;
    acknowledged_total_ = received_total_;
    const FixedPipeFrame ack = write_pipe_frame(PipeFrameType::ack, received_total_);
    queue_frame(WebSocketOpcode::binary, ack);
}

void Pipe::on_receive_end() { lose({Errc::end_of_stream, "the other side ended the connection"}); }
void Pipe::on_transport_error(const Error& error) { lose(error); }

void Pipe::fail(Error error) {
    if (closed_) return;
    close(error.code == Errc::too_large ? 1009 : error.code == Errc::end_of_stream ? 1000 : 1002, "");
    owner_->on_pipe_failed(error);
}

// ---- sending

void Pipe::queue_frame(WebSocketOpcode opcode, Octets payload) {
    if (closed_ || !transport_) return;
    const bool masked = role_ == TunnelRole::agent;
    const MaskingKey key = masked ? new_masking_key() : MaskingKey{};
    const auto header = write_websocket_header(opcode, payload.size(), masked ? std::optional(key) : std::nullopt);
    urgent_ += as_text(header.view());
    const std::size_t begin = urgent_.size();
    urgent_ += as_text(payload);
    if (masked) {
        auto* at = reinterpret_cast<std::byte*>(urgent_.data() + begin);
        mask_octets(at, at, payload.size(), key);
    }
    if (urgent_.size() > kMostUrgent) return lose({Errc::too_large, "the other side asks and doesn't read the answers"});
    flush_soon();
}

void Pipe::flush_soon() { flush_.ask(); }

void Pipe::flush() {
    while (!closed_ && transport_ && transport_->send_ready()) {
        Octets next = retained_.next();
        next = next.first(std::min<std::size_t>(next.size(), quantum()));
        if (next.empty() && urgent_.empty()) return;
        if (next.empty() || urgent_.size() + 16 + next.size() > Transport::kSendQuantum) {
            if (!urgent_.empty()) {
                transport_->send(as_octets(urgent_));
                urgent_.clear();
                continue;
            }
        }
        if (pace_.looking() && transport_->unsent().octets == 0) pace_.on_dry();
        // One send: urgent frames, then one DATA frame. The agent's side is masked on the way through a buffer of the loop.
        const bool masked = role_ == TunnelRole::agent;
        const MaskingKey key = masked ? new_masking_key() : MaskingKey{};
        const auto header =
            write_websocket_header(WebSocketOpcode::binary, next.size() + 1, masked ? std::optional(key) : std::nullopt);
        urgent_ += as_text(header.view());
        if (masked) {
            auto& buffer = loop_.buffers().masked;
            std::memcpy(buffer.data(), urgent_.data(), urgent_.size());
            std::byte* payload = buffer.data() + urgent_.size();
            mask_octets(payload, &kPipeDataType, 1, key, 0);
            mask_octets(payload + 1, next.data(), next.size(), key, 1);
            transport_->send(Octets(buffer.data(), urgent_.size() + 1 + next.size()));
        } else {
            urgent_ += static_cast<char>(kPipeDataType);
            transport_->send(as_octets(urgent_), next);
        }
        urgent_.clear();
        if (retained_.all_acknowledged()) unacknowledged_since_ = loop_.now();
        retained_.mark_sent(next.size());
        if (settings_.resume_window.count() == 0) retained_.forget_sent();
        const auto after = transport_->send_ready() ? SendPace::After::room : SendPace::After::full;
        const ByteCount unsent = pace_.asks(next.size(), after) ? transport_->unsent().octets : 0;
        if (pace_.on_sent(next.size(), after, unsent, loop_.now())) transport_->limit_unsent(pace_.unsent_in_kernel());
    }
}

bool Pipe::make_room() {
    if (retained_.unsent() >= quantum()) flush();
    starved_ = !has_room();
    return !starved_;
}

void Pipe::tell_room() {
    if (!starved_ || !has_room()) return;
    starved_ = false;
    owner_->on_pipe_room();
}

void Pipe::on_send_ready() {
    if (pace_.looking()) {
        const Transport::Unsent unsent = transport_->unsent();
        if (pace_.on_room(unsent.ran_dry, unsent.octets, loop_.now())) transport_->limit_unsent(pace_.unsent_in_kernel());
    }
    flush();
    tell_room();
}

// ---- liveness

void Pipe::ping() {
    if (ping_under_way_ || closed_ || !transport_) return;
    ping_under_way_ = true;
    pinged_at_ = loop_.exact_now();
    heartbeat_.start_about(settings_.heartbeat_timeout);  // also for one that was asked for: it gets that long, no less
    const FixedPipeFrame frame = write_pipe_frame(PipeFrameType::ping, ++ping_number_);
    queue_frame(WebSocketOpcode::binary, frame);
}

std::optional<TimePoint> Pipe::waiting_since() const {
    if (!transport_) return std::nullopt;
    std::optional<TimePoint> since;
    if (!retained_.all_acknowledged()) since = unacknowledged_since_;
    if (ping_under_way_) since = since ? std::min(*since, pinged_at_) : pinged_at_;
    if (since) since = std::max(*since, heard_at_);
    return since;
}

// Two states by turns: a PING is out and something must come within the timeout, or the rest of the interval passes.
void Pipe::on_heartbeat() {
    if (ping_under_way_ && heard_at_ < pinged_at_)
        return lose({Errc::timeout, "no octet within the heartbeat timeout"});
    if (loop_.now() - pinged_at_ < settings_.heartbeat_interval) {
        ping_under_way_ = false;
        heartbeat_.start_about(settings_.heartbeat_interval - (loop_.now() - pinged_at_));
        return;
    }
    ping_under_way_ = false;
    ping();
}

void Pipe::close(std::uint16_t code, std::string_view reason) {
    if (closed_) return;
    queue_frame(WebSocketOpcode::close, as_octets(format_websocket_close(code, reason)));
    flush();
    closed_ = true;
    drop_connection();
}

}  // namespace sallyport
