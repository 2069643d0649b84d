// tls_client.h: one TLS connection of a load program to 127.0.0.1, as a browser makes it: SNI, certificate verified, no
// session resumed. Blocking with a time limit until set_non_blocking(). A TlsClient lives on one thread; the context is shared.
#pragma once
#include <openssl/ssl.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

#include "base/octets.h"
#include "base/result.h"

namespace sallyport::bench {

template <auto Free>
struct Deleter {
    void operator()(auto* p) const noexcept { Free(p); }
};
using SslContext = std::unique_ptr<SSL_CTX, Deleter<SSL_CTX_free>>;
using Ssl = std::unique_ptr<SSL, Deleter<SSL_free>>;

// Trusts the certificates of `ca_file` and no others.
Result<SslContext> make_client_context(const std::string& ca_file);

struct Destination {
    std::uint16_t port;       // on 127.0.0.1
    std::string server_name;  // SNI, Host and the name in the certificate
};

class TlsClient {
public:
    // Connects and shakes hands; every later blocking call also gives up after `limit`.
    static Result<TlsClient> connect(SSL_CTX& context, const Destination& to, std::chrono::seconds limit);
    TlsClient(TlsClient&& other) noexcept : socket_(std::exchange(other.socket_, -1)), ssl_(std::move(other.ssl_)) {}
    TlsClient& operator=(TlsClient&&) = delete;
    ~TlsClient();

    Result<> write_all(Octets octets);
    // At least one octet, into `out`. Errc::would_block only when non-blocking, Errc::end_of_stream at the peer's end.
    Result<std::size_t> read_some(MutableOctets out);
    // The header section of an HTTP/1.1 answer with its empty line; `rest` gets what came behind it. At most 16 KiB.
    Result<std::string> read_header_section(std::string& rest);

    Result<> set_non_blocking();
    [[nodiscard]] int socket() const { return socket_; }
    [[nodiscard]] std::string cipher() const { return SSL_get_cipher_name(ssl_.get()); }

private:
    TlsClient(int socket, Ssl ssl) : socket_(socket), ssl_(std::move(ssl)) {}
    int socket_;
    Ssl ssl_;  // doesn't own socket_
};

}  // namespace sallyport::bench
