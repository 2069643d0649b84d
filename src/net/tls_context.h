// tls_context.h: the settings of TLS (OpenSSL 3), shared by many connections. Built before loops run or while they run;
// immutable afterwards, so any thread may use one.
#pragma once
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "net/certificate.h"
#include "net/ticket_keys.h"
#include "wire/tls_version.h"

namespace sallyport {

struct ServerTlsSettings {
    TlsVersion min_version = TlsVersion::tls1_2;  // of visitors
    std::shared_ptr<TicketKeys> ticket_keys{};    // null: keys of its own
};

// What servers present. Visitors get the certificate that fits their SNI, else the first. A ClientHello whose ALPN names
// "sallyport/1" is answered with the identity's certificate.
class ServerTls : public std::enable_shared_from_this<ServerTls> {
public:
    // Empty `certificates` is refused. ALPN offered to visitors: "h2", then "http/1.1".
    static Result<std::shared_ptr<const ServerTls>> make(const std::vector<Certificate>& certificates,
                                                          const Certificate* identity, ServerTlsSettings settings = {});
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
