// certificates.h: what the relay shows in TLS: to visitors the configured certificates, or one signed by itself while none is
// configured; to agents (ALPN sallyport/1) the identity. Reads files: before the loops run, then on the store's thread.
#pragma once
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "config/relay_config.h"
#include "net/tls_context.h"

namespace sallyport::relay {

// A self-signed certificate is made anew for each new hostname, up to so many. Beyond, visitors see a wrong name as well,
// which they would have to accept anyway.
inline constexpr std::size_t kMostSelfSignedNames = 100;

class Certificates {
public:
    // Loads the relay's identity, or makes it.
    static Result<Certificates> open(const std::filesystem::path& state_dir);

    const std::string& pin() const { return pin_; }

    // Reads the configured files. On an error nothing changes.
    Result<std::shared_ptr<const ServerTls>> configure(const RelayConfig& config, const std::vector<std::string>& hostnames);

    // After a change of routes: something new if the self-signed certificate lacks one of these hostnames, else null. It keeps
    // its key, and until the next start or reload the names of routes that are gone.
    Result<std::shared_ptr<const ServerTls>> follow(const std::vector<std::string>& hostnames);

private:
    Certificates(std::filesystem::path state_dir, Certificate identity, std::string pin)
        : state_dir_(std::move(state_dir)), identity_(std::move(identity)), pin_(std::move(pin)) {}
    Result<std::shared_ptr<const ServerTls>> sign(std::vector<std::string> names, TlsVersion min_version);
    ServerTlsSettings settings(TlsVersion min_version) const { return {min_version, ticket_keys_}; }

    std::filesystem::path state_dir_;
    Certificate identity_;
    std::string pin_;
    std::shared_ptr<TicketKeys> ticket_keys_ = std::make_shared<TicketKeys>();  // of this process: a reload keeps them
    bool self_signed_ = false;
    std::vector<std::string> covered_;    // by the self-signed certificate
    TlsVersion min_version_ = TlsVersion::tls1_2;  // with the self-signed certificate
};

}  // namespace sallyport::relay
