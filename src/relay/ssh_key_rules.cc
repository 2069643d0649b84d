#include "relay/ssh_key_rules.h"

#include "wire/ssh_public_key.h"

namespace sallyport::relay {
namespace {

std::unexpected<Error> refuse(std::string why) { return fail(Errc::invalid_argument, std::move(why)); }

Result<> check_options(const AuthorizedKeyOptions& options) {
    if (options.cert_authority) return refuse("cert-authority is not taken: give the key itself");
    if (options.command) return refuse("command= can't be honoured, since the relay runs nothing; leave it out");
    if (options.verify_required) return refuse("verify-required can't be honoured, since the relay doesn't see how a security key was used; leave it out");
    if (!options.port_forwarding) return refuse("this line forbids port forwarding, which is all that an agent does; write restrict,port-forwarding in front of the key, or no option at all");
    return {};
}

}  // namespace

Result<AgentSshKey> read_agent_ssh_key(std::string_view line) {
    const auto read = parse_authorized_key(line);
    if (!read) return std::unexpected(read.error());
    if (auto fit = check_strong(read->key); !fit) return std::unexpected(fit.error());
    if (auto fit = check_options(read->options); !fit) return std::unexpected(fit.error());
    // As it was written, but for what stands around it; the key and its comment in the form that is sure to be read again.
    const std::size_t at = line.find(read->key.type + " ");
    const std::size_t begin = line.find_first_not_of(" \t");
    if (at == std::string_view::npos || begin > at) return refuse("between the key's type and the key stands one space");
    return AgentSshKey{{read->key.fingerprint(), std::string(line.substr(begin, at - begin)) + read->key.text()}, ed25519_of(read->key)};
}

AuthorizedKeyOptions options_of(const store::Credential& credential) {
    if (!credential.ssh_key) return {};
    auto read = parse_authorized_key(credential.ssh_key->line);
    if (read) return std::move(read->options);
    AuthorizedKeyOptions none;  // damaged, or written by a newer release: nothing is allowed
    none.port_forwarding = false;
    return none;
}

std::string fingerprint_of(const store::Credential& credential) {
    if (credential.ssh_key) return credential.ssh_key->fingerprint;
    return credential.public_key ? ssh_key_of_ed25519(*credential.public_key).fingerprint() : "";
}

}  // namespace sallyport::relay
