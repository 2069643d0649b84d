// ed25519.h: Ed25519 keys as raw octets (RFC 8032): 32 octets of seed, 32 of public key, 64 of signature. Thin over
// OpenSSL; pure.
#pragma once
#include <memory>
#include <string>

#include "base/octets.h"
#include "base/result.h"
#include "base/secret.h"

struct evp_pkey_st;

namespace sallyport {

inline constexpr std::size_t kEd25519KeyOctets = 32;
inline constexpr std::size_t kEd25519SignatureOctets = 64;

class Ed25519PrivateKey {
public:
    static Ed25519PrivateKey generate();
    static Result<Ed25519PrivateKey> from_seed(const Secret& seed);  // 32 raw octets

    Secret seed() const;             // what to store, 0600
    std::string public_key() const;  // 32 raw octets
    std::string sign(Octets message) const;

private:
    explicit Ed25519PrivateKey(evp_pkey_st* key);
    std::shared_ptr<evp_pkey_st> key_;  // immutable
};

// False for a wrong signature and for octets that are no key or signature.
bool verify_ed25519(Octets public_key, Octets message, Octets signature);

}  // namespace sallyport
