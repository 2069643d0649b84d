// credential.h: secrets of credentials: how they are hashed, written as an api_key, and compared. Pure; the relay
// compares against its snapshot with these and asks the store nothing.
//
// A secret is 128 random bits, so SHA-256 without salt or stretching is enough: there is nothing to guess. It is
// looked up by the credential's id, and then compared once, in constant time.
#pragma once
#include <string>
#include <string_view>

#include "base/result.h"
#include "store/records.h"

namespace sallyport::store {

std::string hash_secret(std::string_view secret);  // hex SHA-256

// True if the credential has a secret and this is it. Says nothing about kind, expiry or revocation.
bool has_secret(const Credential& credential, std::string_view secret);

// api_key: the id, a dot and the secret.
Secret format_api_key(const IssuedCredential& issued);

struct ApiKey {
    CredentialId id;
    Secret secret;
};
// Errc::unauthorized for anything that format_api_key cannot have written.
Result<ApiKey> parse_api_key(std::string_view api_key);

std::string_view name_of(CredentialKind kind);  // "ed25519", "token", "device", "enrolment", "ssh_key"

}  // namespace sallyport::store
