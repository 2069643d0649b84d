// concealed_auth.h: the Concealed HTTP authentication scheme with Ed25519 (RFC 9729). Both ends export 48 octets of
// keying material from their TLS 1.3 connection with a context that names key and origin; the client signs 32 of them
// and shows the other 16. The proof holds for that connection only. The TLS export itself is net/'s: it comes in as
// octets.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>

#include "base/octets.h"
#include "base/result.h"
#include "wire/ed25519.h"

namespace sallyport {

inline constexpr std::string_view kConcealedExporterLabel = "EXPORTER-HTTP-Concealed-Authentication";
inline constexpr std::size_t kConcealedExporterOctets = 48;
inline constexpr std::uint16_t kEd25519SignatureScheme = 0x0807;  // 2055 (RFC 8446 4.2.3)

// The origin that is authenticated to, as the client sees it; the realm is always empty with us.
struct ConcealedOrigin {
    std::string scheme;  // "https"
    std::string host;    // as in a URI: lower-case; IPv6 in brackets
    std::uint16_t port = 443;
};

// The TLS exporter's context (RFC 9729 3.1).
std::string concealed_exporter_context(Octets key_id, Octets public_key, const ConcealedOrigin& origin);

// What the signature covers: 64 spaces, a context string, a zero octet, 32 exported octets (RFC 9729 3.3).
std::string concealed_signed_content(Octets exporter_output);

// The parameters of "Authorization: Concealed ..." as raw octets (RFC 9729 4).
struct ConcealedProof {
    std::string key_id;                                        // k: at most 128 octets
    std::string public_key;                                    // a
    std::uint16_t signature_scheme = kEd25519SignatureScheme;  // s
    std::string verification;                                  // v
    std::string proof;                                         // p
};

std::string format_concealed(const ConcealedProof& proof);  // the whole field value, scheme name first

// Errc::unauthorized if the field is of another scheme, lacks a parameter, repeats one, or has a malformed one: then it
// counts as absent (RFC 9729 6.1). Unknown parameters are ignored; realm is refused.
Result<ConcealedProof> parse_concealed(std::string_view field_value);

// exporter_output: 48 octets.
ConcealedProof make_concealed_proof(const Ed25519PrivateKey& key, std::string_view key_id, Octets exporter_output);

// The checks of RFC 9729 6.3 against the key that the store holds for proof.key_id. Errc::unauthorized if any fails.
Result<> verify_concealed_proof(const ConcealedProof& proof, Octets known_public_key, Octets exporter_output);

}  // namespace sallyport
