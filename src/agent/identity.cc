#include "agent/identity.h"

#include <cstddef>

#include "base/encoding.h"

namespace sallyport {
namespace {

constexpr std::string_view kBegin = "-----BEGIN PRIVATE KEY-----\n";
constexpr std::string_view kEnd = "\n-----END PRIVATE KEY-----\n";

// OneAsymmetricKey version 1, algorithm 1.3.101.112, OCTET STRING of an OCTET STRING of 32 (RFC 8410 7); the seed
// follows.
constexpr std::string_view kPrefix{"\x30\x2e\x02\x01\x00\x30\x05\x06\x03\x2b\x65\x70\x04\x22\x04\x20", 16};

}  // namespace

Secret to_pem(const Ed25519PrivateKey& key) {
    std::string der{kPrefix};
    der += key.seed().reveal();
    const Secret wiped{std::move(der)};
    std::string pem{kBegin};
    pem += to_base64(as_octets(wiped.reveal()));
    pem += kEnd;
    return Secret{std::move(pem)};
}

Result<Ed25519PrivateKey> key_from_pem(std::string_view pem) {
    if (!pem.starts_with(kBegin) || !pem.ends_with(kEnd) || pem.size() < kBegin.size() + kEnd.size())
        return fail(Errc::protocol, "no PEM private key");
    pem.remove_prefix(kBegin.size());
    pem.remove_suffix(kEnd.size());
    auto der = from_base64(pem);
    if (!der) return fail(Errc::protocol, "no PEM private key");
    const Secret octets{std::move(*der)};
    if (!octets.reveal().starts_with(kPrefix) || octets.reveal().size() != kPrefix.size() + kEd25519KeyOctets)
        return fail(Errc::protocol, "no Ed25519 private key");
    return Ed25519PrivateKey::from_seed(Secret{std::string(octets.reveal().substr(kPrefix.size()))});
}

Result<Identity> load_or_make_identity(const StateFolder& folder, std::string_view file) {
    auto pem = folder.read(file);
    if (!pem) return std::unexpected(pem.error());
    if (*pem) {
        const Secret text{std::move(**pem)};
        auto key = key_from_pem(text.reveal());
        if (!key) {
            return fail(Errc::protocol, (folder.path() / file).string() + ": " + key.error().detail +
                                            "; put the right file back, or remove it to make a new key and enrol anew");
        }
        return Identity{std::move(*key), false};
    }
    auto key = Ed25519PrivateKey::generate();
    if (const auto written = folder.write(file, to_pem(key).reveal()); !written)
        return std::unexpected(written.error());
    return Identity{std::move(key), true};
}

std::string public_key_text(const Ed25519PrivateKey& key) { return to_base64url(as_octets(key.public_key())); }

}  // namespace sallyport
