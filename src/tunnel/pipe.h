// pipe.h: the counted octet pipe between HTTP/2 and a connection: DATA frames that are acknowledged, PING for liveness, each frame
// one WebSocket binary message (docs/protocol.md). Lives on one loop. What is sent is retained until the peer acknowledges it, so
// a pipe outlives its connection: a lost one is replaced by resume(), and nothing above notices.
#pragma once
#include <chrono>
#include <optional>
#include <string>

#include "net/loop.h"
#include "net/transport.h"
#include "tunnel/retained_octets.h"
#include "tunnel/send_pace.h"
#include "tunnel/tunnel.h"
#include "wire/pipe_frame.h"
#include "wire/websocket_frame.h"

namespace sallyport {

class Pipe final : private Transport::Owner {
public:
    class Owner {
    public:
        virtual void on_pipe_octets(Octets octets) = 0;  // octets of the session, in order
        virtual void on_pipe_room() = 0;                 // there is room again after there was none
        virtual void on_pipe_lost(const Error& error) = 0;    // the connection is gone; the session may go on by resume()
        virtual void on_pipe_failed(const Error& error) = 0;  // the peer broke the protocol; over

    protected:
        ~Owner() = default;
    };

    // Nothing is received before start(). Octets behind the opening handshake come in `received`.
    Pipe(Loop& loop, TunnelRole role, TransportPtr transport, std::string received, const TunnelSettings& settings, Owner& owner);
    ~Pipe();
    void start();

    // Gives the connection up, if there is one, and tells how many DATA octets came: from then on the count stands still, as the
    // peer will send again from there.
    ByteCount freeze();
    // Goes on over a new connection whose opening handshake is done; the peer has received `peer_received` octets. Replaces a
    // connection that is still there. Errc::protocol: those octets are no longer held, or were never sent.
    Result<> resume(TransportPtr transport, std::string received, ByteCount peer_received);
    bool can_resume_from(ByteCount peer_received) const { return !closed_ && retained_.holds(peer_received); }
    bool connected() const { return transport_ != nullptr; }

    // How long a frame may be, and how many octets may wait unsent before writing stops: few, so that what comes next isn't late.
    ByteCount quantum() const { return pace_.quantum(); }
    bool has_room() const { return !closed_ && !retained_.full() && retained_.unsent() < quantum(); }
    // Sends if that is what is missing; if there is still no room, on_pipe_room() follows.
    bool make_room();
    RetainedOctets& retained() { return retained_; }  // write here, then flush_soon() or flush()

    void flush();       // now, as far as the connection takes it
    void flush_soon();  // at the end of the turn

    void ping();
    std::chrono::microseconds round_trip() const { return round_trip_; }
    TimePoint heard_at() const { return heard_at_; }
    // Since when an answer is missing (ACK, PONG) and nothing at all has come.
    std::optional<TimePoint> waiting_since() const;
    const SocketAddress& peer_address() const { return peer_address_; }  // of the last connection

    // Sends a close frame (RFC 6455 7.1.1) and ends the connection; no calls to the owner after it.
    void close(std::uint16_t code, std::string_view reason);

private:
    void on_receive(MutableOctets octets) override;
    void on_receive_end() override;
    void on_send_ready() override;
    void on_transport_error(const Error& error) override;
    void take_frame_piece(const WebSocketDecoder::Step& step);
    void take_event(const PipeEvent& event);
    void queue_frame(WebSocketOpcode opcode, Octets payload);
    void acknowledge_soon();
    void queue_acknowledgement();
    void on_heartbeat();
    void tell_room();
    void drop_connection();
    void lose(const Error& error);
    void fail(Error error);

    Loop& loop_;
    TunnelRole role_;
    TransportPtr transport_;  // null between two connections
    SocketAddress peer_address_;
    std::string received_at_start_;
    const TunnelSettings settings_;
    Owner* owner_;
    WebSocketDecoder websocket_;
    PipeDecoder decoder_;
    RetainedOctets retained_;
    SendPace pace_;
    std::string urgent_;            // whole WebSocket frames that go before the next DATA; bounded by kMostUrgent; dies with the connection
    ByteCount received_total_ = 0;  // DATA octets of this session
    ByteCount acknowledged_total_ = 0;
    bool closed_ = false;   // for good
    bool starved_ = false;  // make_room() said no, on_pipe_room() is owed
    bool ping_under_way_ = false;
    TimePoint pinged_at_{};
    TimePoint heard_at_{};
    TimePoint unacknowledged_since_{};  // when DATA was sent with everything before it acknowledged
    std::uint64_t ping_number_ = 0;
    std::chrono::microseconds round_trip_{0};
    Timer acknowledge_;
    Timer heartbeat_;
    TurnEnd flush_;
};

}  // namespace sallyport
