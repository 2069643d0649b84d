#include "wire/concealed_auth.h"

#include <charconv>
#include <optional>

#include "base/encoding.h"
#include "base/secret.h"
#include "wire/http_syntax.h"

namespace sallyport {
namespace {

constexpr std::size_t kSignatureInputOctets =
    32;  // of the exporter's output; the rest is for verification (RFC 9729 3.2)
constexpr std::size_t kVerificationOctets = 16;
constexpr std::size_t kMaxKeyId = 128;
constexpr std::size_t kMaxFieldValue = 4096;
constexpr std::string_view kScheme = "Concealed";

void append_u16(std::string& out, std::uint16_t value) {
    out += static_cast<char>(value >> 8);
    out += static_cast<char>(value & 0xff);
}

// A string behind its length as a variable-length integer in the fewest octets (RFC 9000 16). Ours stay far below 2^14.
void append_string(std::string& out, std::string_view text) {
    if (text.size() < 64) out += static_cast<char>(text.size());
    else append_u16(out, static_cast<std::uint16_t>(0x4000 | (text.size() & 0x3fff)));
    out += text;
}

std::unexpected<Error> refuse(const char* why) { return fail(Errc::unauthorized, why); }

// RFC 9729 4: no leading zero, at most 65535.
std::optional<std::uint16_t> parse_integer(std::string_view text) {
    std::uint16_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (text.empty() || error != std::errc{} || end != text.data() + text.size() || (text.size() > 1 && text[0] == '0'))
        return std::nullopt;
    return value;
}

// The parameters while they are being collected.
struct Parameters {
    std::optional<std::string> k, a, v, p;
    std::optional<std::uint16_t> s;

    Result<> take(std::string_view parameter);
};

Result<> Parameters::take(std::string_view parameter) {
    const std::size_t equals = parameter.find('=');
    if (equals == std::string_view::npos || !is_token(parameter.substr(0, equals)))
        return refuse("malformed parameter");
    const std::string_view name = parameter.substr(0, equals);
    const std::string_view value = parameter.substr(equals + 1);
    if (equals_ignoring_case(name, "realm")) return refuse("realm is not used");
    if (equals_ignoring_case(name, "s")) {
        if (s) return refuse("parameter twice");
        return (s = parse_integer(value)) ? Result<>{} : refuse("malformed s");
    }
    std::optional<std::string>* slot = nullptr;
    if (equals_ignoring_case(name, "k")) slot = &k;
    else if (equals_ignoring_case(name, "a")) slot = &a;
    else if (equals_ignoring_case(name, "v")) slot = &v;
    else if (equals_ignoring_case(name, "p")) slot = &p;
    if (!slot) return {};
    if (*slot) return refuse("parameter twice");
    Result<std::string> octets = from_base64url(value);
    if (!octets) return refuse("malformed parameter");
    *slot = std::move(*octets);
    return {};
}

}  // namespace

std::string concealed_exporter_context(Octets key_id, Octets public_key, const ConcealedOrigin& origin) {
    std::string out;
    append_u16(out, kEd25519SignatureScheme);
    append_string(out, as_text(key_id));
    append_string(out, as_text(public_key));
    append_string(out, origin.scheme);
    append_string(out, origin.host);
    append_u16(out, origin.port);
    append_string(out, "");  // realm
    return out;
}

std::string concealed_signed_content(Octets exporter_output) {
    std::string out(64, ' ');
    out += "HTTP Concealed Authentication";
    out += '\0';
    out += as_text(exporter_output).substr(0, kSignatureInputOctets);
    return out;
}

std::string format_concealed(const ConcealedProof& proof) {
    std::string out(kScheme);
    out += " k=" + to_base64url(as_octets(proof.key_id));
    out += ", a=" + to_base64url(as_octets(proof.public_key));
    out += ", s=" + std::to_string(proof.signature_scheme);
    out += ", v=" + to_base64url(as_octets(proof.verification));
    out += ", p=" + to_base64url(as_octets(proof.proof));
    return out;
}

Result<ConcealedProof> parse_concealed(std::string_view value) {
    if (value.size() > kMaxFieldValue) return refuse("field too long");
    const std::size_t space = value.find(' ');
    if (space == std::string_view::npos || !equals_ignoring_case(value.substr(0, space), kScheme))
        return refuse("another scheme");
    Parameters parameters;
    Result<> taken;
    for_each_list_member(value.substr(space + 1),
                         [&](std::string_view parameter) { return (taken = parameters.take(parameter)).has_value(); });
    if (!taken) return std::unexpected(std::move(taken.error()));
    auto& [k, a, v, p, s] = parameters;
    if (!k || !a || !v || !p || !s) return refuse("a parameter is missing");
    if (k->empty() || k->size() > kMaxKeyId) return refuse("key ID too long");
    return ConcealedProof{.key_id = std::move(*k),
                          .public_key = std::move(*a),
                          .signature_scheme = *s,
                          .verification = std::move(*v),
                          .proof = std::move(*p)};
}

ConcealedProof make_concealed_proof(const Ed25519PrivateKey& key, std::string_view key_id, Octets exporter_output) {
    return ConcealedProof{.key_id = std::string(key_id),
                          .public_key = key.public_key(),
                          .verification = std::string(as_text(exporter_output).substr(kSignatureInputOctets)),
                          .proof = key.sign(as_octets(concealed_signed_content(exporter_output)))};
}

Result<> verify_concealed_proof(const ConcealedProof& proof, Octets known_public_key, Octets exporter_output) {
    if (exporter_output.size() != kConcealedExporterOctets)
        return fail(Errc::internal, "exporter output is not 48 octets");
    if (proof.signature_scheme != kEd25519SignatureScheme) return refuse("another signature scheme");
    if (!equal_in_constant_time(proof.public_key, as_text(known_public_key))) return refuse("another public key");
    if (!equal_in_constant_time(proof.verification, as_text(exporter_output.last(kVerificationOctets))))
        return refuse("another connection or origin");
    if (!verify_ed25519(known_public_key, as_octets(concealed_signed_content(exporter_output)), as_octets(proof.proof)))
        return refuse("wrong signature");
    return {};
}

}  // namespace sallyport
