// tls_transport.h: a Transport that speaks TLS through OpenSSL with an own BIO: one recv() of up to 256 KiB, one decryption
// of all of it, one call to the owner; one encryption and one send() of up to 128 KiB the other way. Buffers are the loop's.
#pragma once
#include <functional>
#include <memory>

#include "net/socket_transport.h"
#include "net/tls_context.h"

namespace sallyport {

class TlsTransport final : public SocketTransport {
public:
    // `received`: octets already read from the descriptor (a ClientHello), in front of what follows.
    static std::unique_ptr<TlsTransport> make(Loop& loop, Descriptor connected, Ssl ssl, std::string received = {});
    ~TlsTransport() override;

    // Called once: with a value when the handshake is done, else with why it failed (the transport is then closed).
    // Deadlines are the caller's. Set before the first turn; owner callbacks come after it.
    void on_handshake(std::function<void(Result<>)> done);

    std::string_view alpn() const;         // negotiated protocol, "" for none
    std::string_view server_name() const;  // SNI as the client sent it, "" for none
    bool certificate_covers(const std::string& host) const;  // the one shown to the peer: a name, or an address
    std::string peer_pin() const;          // pin of the peer's certificate, "" if it showed none
    // RFC 8446 7.5 exporter; what RFC 9729 signs.
    Result<std::string> export_keying_material(std::string_view label, Octets context, std::size_t size);

    void send(Octets head, Octets body = {}) override;

    // A connection taken off its loop, to go on with on another one. Nothing is lost: what was received and not delivered,
    // what waits to be sent. Valid after the handshake; this transport is closed by it.
    struct Parked {
        Descriptor descriptor;
        Ssl ssl;
        std::string received;
        std::vector<std::byte> pending;
        SocketAddress peer;
        bool receive_ended = false;
    };
    using ParkedPtr = std::unique_ptr<Parked>;
    ParkedPtr park();
    static std::unique_ptr<TlsTransport> unpark(Loop& loop, ParkedPtr parked);

private:
    friend struct TlsBio;
    TlsTransport(Loop& loop, Descriptor connected, Ssl ssl, std::string received);
    void take_wire(MutableOctets octets) override;
    void take_wire_end() override;
    bool wants_wire() const override { return handshaking_ || owner_ != nullptr; }
    void before_end() override;
    void on_failed(const Error& error) override;
    void continue_handshake();
    void deliver_plaintext();
    void flush_sealed();
    Error tls_error(std::string_view what, int result) const;

    Ssl ssl_;
    Octets incoming_;  // wire octets of this call that OpenSSL has not taken yet
    bool handshaking_ = true;
    bool in_order_ = false;  // the peer's close_notify has come
    std::function<void(Result<>)> on_handshake_;
};

}  // namespace sallyport
