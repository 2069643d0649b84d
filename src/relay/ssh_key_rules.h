// ssh_key_rules.h: which SSH keys an agent may have, and what of a line of authorized_keys the relay honours. What it can't honour is
// refused rather than passed over: it would give more than the line says. Pure.
#pragma once
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "store/records.h"
#include "wire/authorized_keys.h"

namespace sallyport::relay {

struct AgentSshKey {
    store::SshKey stored;
    std::optional<store::AgentKey> same;  // an Ed25519 key's octets, by which agents are known that come over wss
};

// Honoured: from=, permitlisten=, expiry-time=, and restrict together with port-forwarding. Without meaning here, and let pass:
// permitopen=, environment=, tunnel=, whatever takes away or gives back pty, agent, X11 or rc. Errc::invalid_argument, with a text
// for the owner.
Result<AgentSshKey> read_agent_ssh_key(std::string_view line);

// The options of a credential that was stored by it; without any for the key of an agent that comes over wss.
AuthorizedKeyOptions options_of(const store::Credential& credential);

// "SHA256:…" of the key, as ssh-keygen and logs of sshd show it; "" if the credential is no key.
std::string fingerprint_of(const store::Credential& credential);

}  // namespace sallyport::relay
