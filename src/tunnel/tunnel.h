// tunnel.h: one end of a tunnel: HTTP/2 with the roles turned round (the relay is the HTTP/2 client, the agent the server),
// over the pipe, over WebSocket frames, over one Transport whose opening handshake is done. docs/protocol.md has the octets.
// Lives on one loop. Close it, or let it report its end, then dispose of it (Loop::dispose); all its streams are over by then.
#pragma once
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "net/loop.h"
#include "net/transport.h"
#include "tunnel/stream.h"

namespace sallyport {

enum class TunnelRole { relay, agent };

struct TunnelSettings {
    std::chrono::milliseconds heartbeat_interval{30'000};
    std::chrono::milliseconds heartbeat_timeout{10'000};  // after a PING, until any octet arrives
    std::chrono::milliseconds ack_delay{200};
    std::chrono::milliseconds resume_window{0};  // how long a session waits for a new connection; 0: it ends with its connection
    ByteCount retained = 4_MiB;         // most unacknowledged octets kept; sending pauses at it
    ByteCount first_window = 64_KiB;    // receive window of a new stream
    ByteCount largest_window = 1_MiB;   // to which it grows while its reader keeps up
    ByteCount window_budget = 64_MiB;   // of all streams of the tunnel together; growth stops there
    std::uint32_t most_streams = 4096;  // open at once
};

// A stream that the relay opened, at the agent.
class IncomingStream : public Stream {
public:
    virtual void set_owner(Owner& owner) = 0;          // within Tunnel::Owner::on_tunnel_stream
    virtual void accept() = 0;                         // 200; octets may have arrived before it
    virtual void refuse(const Refusal& refusal) = 0;   // over after it
};

class Tunnel {
public:
    class Owner {
    public:
        // The HTTP/2 SETTINGS of the peer have arrived: the other side is really there.
        virtual void on_tunnel_ready() = 0;
        // One line of the control stream, without its newline; at most 64 KiB, contents unchecked.
        virtual void on_tunnel_control(std::string_view line) = 0;
        // Agent only. Set an owner before returning; accept or refuse now or later.
        virtual void on_tunnel_stream(OpenRequest request, std::unique_ptr<IncomingStream> stream) = 0;
        // The connection is gone, the session waits for resume(). Only with a resume_window; on_tunnel_closed follows at its end.
        virtual void on_tunnel_lost(const Error&) {}
        // The last call. Every stream was reset before it.
        virtual void on_tunnel_closed(const Error& reason) = 0;

    protected:
        ~Owner() = default;
    };

    // `received`: octets behind the opening handshake's end that came with it.
    static std::unique_ptr<Tunnel> make(Loop& loop, TunnelRole role, TransportPtr transport, std::string received,
                                        const TunnelSettings& settings, Owner& owner);
    virtual ~Tunnel() = default;

    // Relay only. Errors: no_space (most_streams reached or the peer allows no more), reset (tunnel closed).
    // May be followed at once by wake(): octets go out right behind CONNECT.
    virtual Result<StreamPtr> open(const OpenRequest& request, Stream::Owner& owner) = 0;

    virtual void send_control(std::string_view line) = 0;  // without newline; queued up to 1 MiB, then the tunnel closes
    virtual void close(Error reason) = 0;                  // resets streams, then on_tunnel_closed from the loop, not inside this call

    // Gives up the connection, if there is one, to be replaced; the count of DATA octets received stands still from here on and goes
    // into the new connection's opening handshake.
    virtual ByteCount freeze() = 0;
    // Whether resume() would find the octets that a peer with so many doesn't have yet. False once the session is over.
    virtual bool can_resume_from(ByteCount peer_received) const = 0;
    // Goes on over a new connection whose opening handshake is done; `peer_received` is what the peer said it has. Streams don't notice.
    // Fails, and ends the session, if those octets are no longer held.
    virtual Result<> resume(TransportPtr transport, std::string received, ByteCount peer_received) = 0;
    virtual bool connected() const = 0;

    // Asks for a sign of life now (a PING, unless one is under way); heard_at() moves with the next octets from the peer.
    // Who asks decides how long to wait; after heartbeat_timeout without any the connection is lost, as after each PING.
    virtual void ping() = 0;
    virtual TimePoint heard_at() const = 0;
    // Since when octets or a PING are unanswered and nothing at all was heard; nothing while all is answered or nothing is connected.
    virtual std::optional<TimePoint> waiting_since() const = 0;

    virtual std::chrono::microseconds round_trip() const = 0;  // of the last PING; 0 before the first
    virtual std::size_t open_streams() const = 0;
    virtual const SocketAddress& peer_address() const = 0;
};

}  // namespace sallyport
