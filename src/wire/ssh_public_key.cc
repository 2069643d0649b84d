#include "wire/ssh_public_key.h"

#include <openssl/sha.h>

#include <algorithm>
#include <bit>
#include <cctype>
#include <cstdint>
#include <span>

#include "base/encoding.h"

namespace sallyport {
namespace {

constexpr std::size_t kMaxTypeName = 64;  // RFC 4251 6
constexpr unsigned kMinRsaBits = 3072, kMaxRsaBits = 16384;

struct Shape {
    std::string_view type, curve;
    unsigned bits;
    std::size_t point;  // octets: of an ECDSA key uncompressed, of an Ed25519 key itself
    bool security_key;  // the application's name follows
};
constexpr Shape kShapes[] = {
    {"ssh-ed25519", "", 256, 32, false},
    {"ecdsa-sha2-nistp256", "nistp256", 256, 65, false},
    {"ecdsa-sha2-nistp384", "nistp384", 384, 97, false},
    {"ecdsa-sha2-nistp521", "nistp521", 521, 133, false},
    {"sk-ssh-ed25519@openssh.com", "", 256, 32, true},
    {"sk-ecdsa-sha2-nistp256@openssh.com", "nistp256", 256, 65, true},
};

const Shape* shape_of(std::string_view type) {
    const auto* const found = std::ranges::find(kShapes, type, &Shape::type);
    return found == std::end(kShapes) ? nullptr : found;
}

// RFC 4251 5 "string": a length in four octets, and so many octets. Takes it off the front.
std::optional<std::string_view> take_string(std::string_view& in) {
    if (in.size() < 4) return std::nullopt;
    std::uint32_t size = 0;
    for (const char c : in.substr(0, 4)) size = size << 8 | static_cast<std::uint8_t>(c);
    if (in.size() - 4 < size) return std::nullopt;
    const std::string_view value = in.substr(4, size);
    in.remove_prefix(4 + std::size_t{size});
    return value;
}

std::string string_field(std::string_view value) {
    const auto size = static_cast<std::uint32_t>(value.size());
    std::string out{static_cast<char>(size >> 24), static_cast<char>(size >> 16), static_cast<char>(size >> 8), static_cast<char>(size)};
    return out.append(value);
}

// Bits of an "mpint" that is positive and as short as it can be; 0: it isn't.
unsigned bits_of(std::string_view mpint) {
    if (mpint.empty() || (mpint[0] & 0x80) != 0) return 0;
    if (mpint[0] == 0) {
        mpint.remove_prefix(1);
        if (mpint.empty() || (mpint[0] & 0x80) == 0) return 0;
    }
    return static_cast<unsigned>((mpint.size() - 1) * 8) + static_cast<unsigned>(std::bit_width(static_cast<std::uint8_t>(mpint[0])));
}

// Bits of the modulus, 0 if this is no RSA key; `fields` is what follows the type.
unsigned rsa_bits(std::string_view fields) {
    const auto exponent = take_string(fields);
    const auto modulus = take_string(fields);
    if (!exponent || !modulus || !fields.empty() || bits_of(*exponent) < 2 || bits_of(*exponent) > 64) return 0;
    const unsigned bits = bits_of(*modulus);
    return bits > kMaxRsaBits ? 0 : bits;
}

bool fits(const Shape& shape, std::string_view fields) {
    if (!shape.curve.empty() && take_string(fields) != shape.curve) return false;
    const auto point = take_string(fields);
    if (!point || point->size() != shape.point || (!shape.curve.empty() && point->front() != 4)) return false;
    if (shape.security_key) {
        const auto application = take_string(fields);
        if (!application || application->empty()) return false;
    }
    return fields.empty();
}

bool is_type_name(std::string_view name) {
    return !name.empty() && name.size() <= kMaxTypeName && std::isalnum(static_cast<unsigned char>(name.front())) != 0 &&
           std::ranges::all_of(name, [](char c) { return c > ' ' && c < 0x7f && c != ',' && c != '"'; });
}

std::string printable(std::string_view comment) {
    constexpr std::string_view kAround = " \t\r\n";
    comment.remove_prefix(std::min(comment.find_first_not_of(kAround), comment.size()));
    comment = comment.substr(0, kMaxSshKeyComment);
    comment = comment.substr(0, comment.find_last_not_of(kAround) + 1);  // after the cut, so that what is written reads the same
    std::string out(comment);
    for (char& c : out)
        if (c < ' ' || c >= 0x7f) c = '?';  // comments end up on terminals
    return out;
}

std::unexpected<Error> refuse(std::string why) { return fail(Errc::invalid_argument, std::move(why)); }

}  // namespace

bool is_known_ssh_key_type(std::string_view type) { return type == "ssh-rsa" || shape_of(type) != nullptr; }

Result<SshPublicKey> read_ssh_public_key(Octets blob, std::string_view comment) {
    if (blob.size() > kMaxSshKeyBlob) return refuse("this SSH key is too long");
    std::string_view fields = as_text(blob);
    const auto type = take_string(fields);
    if (!type || !is_type_name(*type)) return refuse("these octets are no SSH public key");
    if (*type == "ssh-rsa" && rsa_bits(fields) == 0) return refuse("this ssh-rsa key is damaged; was it copied whole?");
    if (const Shape* shape = shape_of(*type); shape != nullptr && !fits(*shape, fields)) return refuse("this " + std::string(*type) + " key is damaged; was it copied whole?");
    return SshPublicKey{std::string(*type), std::string(as_text(blob)), printable(comment)};
}

Result<SshPublicKey> parse_ssh_public_key(std::string_view line) {
    constexpr std::string_view kSpace = " \t";
    constexpr std::string_view kMeant = "an SSH public key is one line like \"ssh-ed25519 AAAA… comment\"";
    while (!line.empty() && (line.back() == '\n' || line.back() == '\r')) line.remove_suffix(1);
    line.remove_prefix(std::min(line.find_first_not_of(kSpace), line.size()));
    if (line.starts_with("-----BEGIN")) return refuse("this is a private key, or another format; what is wanted is the line in the file that ends in .pub");
    const std::size_t type_end = line.find_first_of(kSpace);
    if (type_end == std::string_view::npos) return refuse(std::string(kMeant));
    const std::string_view type = line.substr(0, type_end);
    line.remove_prefix(std::min(line.find_first_not_of(kSpace, type_end), line.size()));
    const std::string_view encoded = line.substr(0, line.find_first_of(kSpace));
    if (encoded.size() > kMaxSshKeyBlob * 4 / 3 + 4) return refuse("this SSH key is too long");
    const auto blob = from_base64(encoded);
    if (!blob || blob->empty()) return refuse(is_known_ssh_key_type(type) ? "the base64 behind " + std::string(type) + " is damaged; was the line copied whole?" : std::string(kMeant));
    auto key = read_ssh_public_key(as_octets(*blob), line.substr(encoded.size()));
    if (key && key->type != type) return refuse("the line says " + std::string(type.substr(0, kMaxTypeName)) + ", but the key is " + key->type);
    return key;
}

std::string SshPublicKey::text() const { return type + " " + to_base64(as_octets(blob)) + (comment.empty() ? "" : " " + comment); }

std::string SshPublicKey::fingerprint() const {
    std::array<std::byte, SHA256_DIGEST_LENGTH> digest{};
    SHA256(as_u8(as_octets(blob)), blob.size(), as_u8(MutableOctets(digest)));
    std::string text = to_base64(digest);
    text.erase(text.find_last_not_of('=') + 1);
    return "SHA256:" + text;
}

unsigned SshPublicKey::bits() const {
    std::string_view fields = blob;
    if (!take_string(fields)) return 0;
    if (type == "ssh-rsa") return rsa_bits(fields);
    const Shape* const shape = shape_of(type);
    return shape == nullptr ? 0 : shape->bits;
}

Result<> check_strong(const SshPublicKey& key) {
    constexpr std::string_view kInstead = "; make one with ssh-keygen -t ed25519";
    if (key.type == "ssh-rsa") {
        if (key.bits() >= kMinRsaBits) return {};
        return refuse("this RSA key has " + std::to_string(key.bits()) + " bits, which is too weak: 3072 or more are wanted" + std::string(kInstead));
    }
    if (shape_of(key.type) != nullptr) return {};
    if (key.type == "ssh-dss") return refuse("DSA keys are too weak" + std::string(kInstead));
    if (key.type.contains("-cert-v0")) return refuse("this is a certificate; give the public key itself");
    return refuse("keys of type " + key.type + " are not taken" + std::string(kInstead));
}

std::optional<std::array<std::byte, 32>> ed25519_of(const SshPublicKey& key) {
    std::array<std::byte, 32> octets{};
    if (key.type != "ssh-ed25519" || key.blob.size() < octets.size()) return std::nullopt;
    std::ranges::copy(as_octets(key.blob).last(octets.size()), octets.begin());
    return octets;
}

SshPublicKey ssh_key_of_ed25519(const std::array<std::byte, 32>& key, std::string_view comment) {
    return {"ssh-ed25519", string_field("ssh-ed25519") + string_field(as_text(key)), printable(comment)};
}

}  // namespace sallyport
