// tls_transport.h: a Transport that speaks TLS through OpenSSL with an own BIO: one recv() of up to 256 KiB, one decryption
// of all of it, one call to the owner; one encryption and one send() of up to 64 KiB the other way. Buffers are the loop's.
#pragma once
#include <functional>

#include "net/loop.h"
#include "net/tls_context.h"
#include "net/transport.h"

namespace sallyport {

class TlsTransport : public Transport {
public:
    // `received`: octets already read from the descriptor (a ClientHello), in front of what follows.
    static std::unique_ptr<TlsTransport> make(Loop& loop, Descriptor connected, Ssl ssl, std::string received = {});

    // Called once: with a value when the handshake is done, else with why it failed (the transport is then closed).
    // Deadlines are the caller's. Set before the first turn; owner callbacks come after it.
    virtual void on_handshake(std::function<void(Result<>)> done) = 0;

    virtual std::string_view alpn() const = 0;         // negotiated protocol, "" for none
    virtual std::string_view server_name() const = 0;  // SNI as the client sent it, "" for none
    virtual std::string peer_pin() const = 0;          // pin of the peer's certificate, "" if it showed none
    // RFC 8446 7.5 exporter; what RFC 9729 signs.
    virtual Result<std::string> export_keying_material(std::string_view label, Octets context, std::size_t size) = 0;

    // A connection taken off its loop, to go on with on another one. Nothing is lost: what was received and not delivered,
    // what waits to be sent. Valid only after the handshake and outside owner calls of other transports.
    struct Parked;
    struct ParkedDeleter {
        void operator()(Parked* parked) const noexcept;
    };
    using ParkedPtr = std::unique_ptr<Parked, ParkedDeleter>;
    virtual ParkedPtr park() = 0;
    static std::unique_ptr<TlsTransport> unpark(Loop& loop, ParkedPtr parked);
};

}  // namespace sallyport
