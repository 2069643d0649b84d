// tls_context.h: keys, certificates and settings of TLS (OpenSSL 3), shared by many connections. Built before loops run or
// while they run; immutable afterwards, so any thread may use one.
#pragma once
#include <openssl/ssl.h>

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace sallyport {

template <auto Free>
struct OpensslDeleter {
    void operator()(auto* p) const noexcept { Free(p); }
};
using SslContext = std::unique_ptr<SSL_CTX, OpensslDeleter<SSL_CTX_free>>;
using Ssl = std::unique_ptr<SSL, OpensslDeleter<SSL_free>>;
using X509Ptr = std::unique_ptr<X509, OpensslDeleter<X509_free>>;
using PrivateKey = std::unique_ptr<EVP_PKEY, OpensslDeleter<EVP_PKEY_free>>;

// A certificate chain and its key, as PEM. Names are the DNS names it is valid for, lower case, wildcards included.
struct Certificate {
    std::string chain_pem;
    std::string key_pem;
    std::vector<std::string> names;
};

// Reads and checks a pair of PEM files: unreadable, not PEM, key of another certificate: each its own clear line.
Result<Certificate> load_certificate(const std::filesystem::path& certificate, const std::filesystem::path& key);
enum class KeyType { p256, ed25519 };
// Makes a key and a certificate signed by itself, valid for ten years from a day ago.
Result<Certificate> make_self_signed(KeyType type, const std::vector<std::string>& names);

// SHA-256 of the certificate's SubjectPublicKeyInfo, base64url: the pin (RFC 7469 2.4 hashes the same octets).
Result<std::string> pin_of_certificate(std::string_view chain_pem);
std::string pin_of(X509& certificate);

// What servers present. Visitors get the certificate that fits their SNI, else the first. A ClientHello whose ALPN names
// "sallyport/1" is answered with the identity's certificate.
class ServerTls : public std::enable_shared_from_this<ServerTls> {
public:
    // Empty `certificates` is refused. ALPN offered to visitors: "http/1.1".
    static Result<std::shared_ptr<const ServerTls>> make(const std::vector<Certificate>& certificates,
                                                          const Certificate* identity);
    Ssl new_ssl() const;  // in accept state; keeps this alive

    ~ServerTls();

private:
    ServerTls();
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

// How a client judges the server. There is no way to switch judging off.
struct TrustPolicy {
    std::string server_name;              // SNI (unless an IP literal) and the name the certificate must be valid for
    std::string pin;                      // if set, the key alone decides and CAs are not asked
    std::filesystem::path ca_file;        // if set, instead of the system's CAs
    std::vector<std::string> alpn;        // offered; empty for none
    bool tls13_only = false;              // for proofs bound to the channel (RFC 9729); else 1.2 will do
    bool accept_new_pin = false;          // trust at first use: accept any key and let the caller note pin_of the peer
};

class ClientTls : public std::enable_shared_from_this<ClientTls> {
public:
    static Result<std::shared_ptr<const ClientTls>> make(TrustPolicy policy);
    Ssl new_ssl() const;  // in connect state, verification set up; keeps this alive
    const TrustPolicy& policy() const { return policy_; }

    ~ClientTls();

private:
    explicit ClientTls(TrustPolicy policy);
    TrustPolicy policy_;
    SslContext context_;
};

}  // namespace sallyport
