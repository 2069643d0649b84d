// ssh_public_key.h: an SSH public key: the octets of RFC 4253 6.6 (RFC 8709 for Ed25519, RFC 5656 for ECDSA, OpenSSH's
// PROTOCOL.u2f for security keys) and the line that people copy, "ssh-ed25519 AAAA… comment". Pure. Errors are
// Errc::invalid_argument with a text for people.
#pragma once
#include <array>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "base/octets.h"
#include "base/result.h"

namespace sallyport {

inline constexpr std::size_t kMaxSshKeyBlob = 8192;  // RSA of 16,384 bits has 2,071 octets
inline constexpr std::size_t kMaxSshKeyComment = 256;

struct SshPublicKey {
    std::string type{};     // as the blob begins: "ssh-ed25519", "ecdsa-sha2-nistp256", "ssh-rsa", also one not known here
    std::string blob{};     // what is signed with, compared and fingerprinted
    std::string comment{};  // printable; says nothing about the key, and is not compared

    std::string text() const;         // "ssh-ed25519 AAAA… comment"
    std::string fingerprint() const;  // "SHA256:" and base64 without padding, as `ssh-keygen -l` shows it
    unsigned bits() const;            // 256, 384, 521, of RSA the modulus's; 0 for a type not known here
    bool operator==(const SshPublicKey& other) const { return blob == other.blob; }
};

// A line: type, base64, perhaps a comment (longer ones are cut). What stands in front of a type is authorized_keys.h's.
Result<SshPublicKey> parse_ssh_public_key(std::string_view line);

// A blob as it comes over the wire. A known type's octets are checked whole; of others (ssh-dss, certificates) only the name.
Result<SshPublicKey> read_ssh_public_key(Octets blob, std::string_view comment = {});

// Whether this name is one of those that strong() can take.
bool is_known_ssh_key_type(std::string_view type);

// Ed25519, ECDSA on nistp256/384/521, the two security key types of OpenSSH, RSA of 3,072 bits and more (to be used with
// rsa-sha2-256 and -512 only). Else refused with the reason and what to make instead.
Result<> check_strong(const SshPublicKey& key);
inline bool strong(const SshPublicKey& key) { return check_strong(key).has_value(); }

// An Ed25519 key's 32 octets (RFC 8032), which an agent's own key has, too; and back.
std::optional<std::array<std::byte, 32>> ed25519_of(const SshPublicKey& key);
SshPublicKey ssh_key_of_ed25519(const std::array<std::byte, 32>& key, std::string_view comment = {});

}  // namespace sallyport
