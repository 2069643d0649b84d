#include "store/credential.h"

#include <openssl/sha.h>

#include <algorithm>
#include <array>

#include "base/encoding.h"

namespace sallyport::store {
namespace {

constexpr std::size_t kIdSize = 13;      // 64 bits of base32
constexpr std::size_t kSecretSize = 22;  // 128 bits of base64url

}  // namespace

std::string hash_secret(std::string_view secret) {
    std::array<std::byte, SHA256_DIGEST_LENGTH> digest{};
    SHA256(as_u8(as_octets(secret)), secret.size(), as_u8(MutableOctets(digest)));
    return to_hex(digest);
}

bool has_secret(const Credential& credential, std::string_view secret) {
    return !credential.secret_hash.empty() && equal_in_constant_time(credential.secret_hash, hash_secret(secret));
}

Secret format_api_key(const IssuedCredential& issued) {
    return Secret(issued.credential.id.text + "." + std::string(issued.secret.reveal()));
}

Result<ApiKey> parse_api_key(std::string_view api_key) {
    if (api_key.size() != kIdSize + 1 + kSecretSize || api_key[kIdSize] != '.')
        return fail(Errc::unauthorized, "not an api_key of this relay");
    return ApiKey{CredentialId{std::string(api_key.substr(0, kIdSize))}, Secret(std::string(api_key.substr(kIdSize + 1)))};
}

std::string_view name_of(CredentialKind kind) {
    switch (kind) {
        case CredentialKind::ed25519: return "ed25519";
        case CredentialKind::token: return "token";
        case CredentialKind::device: return "device";
        case CredentialKind::enrolment: return "enrolment";
        case CredentialKind::ssh_key: return "ssh_key";
    }
    return "unknown";
}

}  // namespace sallyport::store
