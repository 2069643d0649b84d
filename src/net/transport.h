// transport.h: a connection that carries octets both ways, TLS or not. Lives on one loop.
//
// Receiving is pushed: the owner takes everything it is handed and pauses what it can't keep up with; a pause holds from
// the next receive on. Sending asks first: while send_ready() is true, send() takes all of what it is given, in pieces of at most
// kSendQuantum octets; what the kernel has no room for stays inside, bounded by one such piece. After send_ready() was
// seen false, on_send_ready() follows.
#pragma once
#include <memory>
#include <string>

#include "base/octets.h"
#include "base/result.h"
#include "net/socket_address.h"

namespace sallyport {

class Transport {
public:
    static constexpr std::size_t kSendQuantum = 128 * 1024;  // against 64 KiB: 6 % less CPU an octet in bulk

    // Each call may send, pause, close() the transport and dispose of it (Loop::dispose); never delete it in place.
    class Owner {
    public:
        // Octets valid (and writable, for unmasking in place) during the call only.
        virtual void on_receive(MutableOctets octets) = 0;
        // The peer ended its direction in order (FIN, and close_notify before it under TLS). Sending goes on.
        virtual void on_receive_end() = 0;
        virtual void on_send_ready() = 0;
        // Cut, or ended without close_notify. Nothing more comes or goes.
        virtual void on_transport_error(const Error& error) = 0;

    protected:
        ~Owner() = default;
    };

    virtual ~Transport() = default;

    // Who is called back. Receiving starts with the first owner and stops while there is none.
    virtual void set_owner(Owner* owner) = 0;

    virtual bool send_ready() const = 0;
    // `head` and `body` go out as if they were one piece; together at most kSendQuantum octets. Only while send_ready().
    virtual void send(Octets head, Octets body = {}) = 0;

    virtual void pause_receive() = 0;
    virtual void resume_receive() = 0;  // octets follow in a later turn, never inside this call

    // Ends our direction once what was sent has left (close_notify, FIN). Receiving goes on.
    virtual void end_send() = 0;
    // In order if everything was taken and delivered; what was sent still leaves if the kernel takes it at once. No calls to the owner after it.
    virtual void close() = 0;
    // At once and with RST, so that the peer can't take it for a complete answer. No calls to the owner after it.
    virtual void abort() = 0;

    // Few octets may wait in the kernel unsent, so that what is sent next isn't late (TCP_NOTSENT_LOWAT).
    virtual void limit_unsent(ByteCount) {}
    struct Unsent {
        ByteCount octets = 0;  // in the kernel, waiting to be sent for the first time
        bool ran_dry = true;   // it held none at some time since send_ready() was last seen to become false
    };
    virtual Unsent unsent() const { return {}; }
    virtual bool all_arrived() const { return true; }  // the peer's kernel has acknowledged all that was sent

    // The socket's, until a proxy in front of us has said who stands behind it.
    virtual const SocketAddress& peer_address() const = 0;
    virtual void name_peer(const SocketAddress& peer) = 0;
    virtual const SocketAddress& local_address() const = 0;
};

// What a transport is called with before TLS is done or the owner is known; used by tests as well.
using TransportPtr = std::unique_ptr<Transport>;

}  // namespace sallyport
