#include "relay/certificates.h"

#include <algorithm>

#include "relay/state_dir.h"

namespace sallyport::relay {
namespace {

std::vector<std::string> own_names(const RelayConfig& config) {
    std::vector<std::string> names{"localhost"};
    if (config.public_url && config.public_url->host_kind == HostKind::name) names.push_back(config.public_url->host);
    if (!config.base_domain.empty()) names.insert(names.end(), {config.base_domain, "*." + config.base_domain});
    return names;
}

void add_names(std::vector<std::string>& names, const std::vector<std::string>& more) {
    for (const std::string& name : more)
        if (names.size() < kMostSelfSignedNames && std::ranges::find(names, name) == names.end()) names.push_back(name);
}

}  // namespace

Result<Certificates> Certificates::open(const std::filesystem::path& state_dir) {
    auto identity = load_or_make_identity(state_dir);
    if (!identity) return std::unexpected(identity.error());
    auto pin = pin_of_certificate(identity->chain_pem);
    if (!pin) return std::unexpected(pin.error());
    return Certificates(state_dir, std::move(*identity), std::move(*pin));
}

Result<std::shared_ptr<const ServerTls>> Certificates::configure(const RelayConfig& config,
                                                                 const std::vector<std::string>& hostnames) {
    if (config.certificates.empty()) {
        std::vector<std::string> names = own_names(config);
        add_names(names, hostnames);
        auto tls = sign(std::move(names), config.tls_min_version);
        if (tls) self_signed_ = true;
        return tls;
    }
    std::vector<Certificate> loaded;
    for (const CertificateFiles& files : config.certificates) {
        auto certificate = load_certificate(files.certificate, files.key);
        if (!certificate) return std::unexpected(certificate.error());
        loaded.push_back(std::move(*certificate));
    }
    auto tls = ServerTls::make(loaded, &identity_, settings(config.tls_min_version));
    if (tls) self_signed_ = false;
    return tls;
}

Result<std::shared_ptr<const ServerTls>> Certificates::follow(const std::vector<std::string>& hostnames) {
    if (!self_signed_) return nullptr;
    std::vector<std::string> names = covered_;
    add_names(names, hostnames);
    if (names.size() == covered_.size()) return nullptr;
    return sign(std::move(names), min_version_);
}

Result<std::shared_ptr<const ServerTls>> Certificates::sign(std::vector<std::string> names, TlsVersion min_version) {
    auto certificate = load_or_make_self_signed(state_dir_, names);
    if (!certificate) return std::unexpected(certificate.error());
    auto tls = ServerTls::make({*certificate}, &identity_, settings(min_version));
    if (!tls) return tls;
    covered_ = std::move(names);
    min_version_ = min_version;
    return tls;
}

}  // namespace sallyport::relay
