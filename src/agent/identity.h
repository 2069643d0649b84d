// identity.h: the agent's Ed25519 key: made at first start, kept in the state folder as PKCS#8 PEM (RFC 8410, what
// openssl and ssh-keygen read), never sent anywhere. Reads and writes files: before the loop runs, or on a worker.
#pragma once
#include <string>
#include <string_view>

#include "agent/state_folder.h"
#include "base/result.h"
#include "wire/ed25519.h"

namespace sallyport {

inline constexpr std::string_view kIdentityFile = "agent.key";

struct Identity {
    Ed25519PrivateKey key;
    bool made_now = false;
};

// Errc::protocol: the file is no Ed25519 key (it is left alone).
Result<Identity> load_or_make_identity(const StateFolder& folder, std::string_view file = kIdentityFile);

// What to paste into the relay: 43 characters of base64url.
std::string public_key_text(const Ed25519PrivateKey& key);

Secret to_pem(const Ed25519PrivateKey& key);
Result<Ed25519PrivateKey> key_from_pem(std::string_view pem);

}  // namespace sallyport
