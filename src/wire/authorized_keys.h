// authorized_keys.h: the file of sshd(8), "AUTHORIZED_KEYS FILE FORMAT": a public key a line, perhaps options in front that
// narrow what it may do. A line with an option that is not known, or malformed, is not usable: to ignore it would give
// more than its owner meant. Pure, but for expiry times without "Z", which are in the machine's time zone as for sshd.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "wire/ip_network.h"
#include "wire/ssh_public_key.h"

namespace sallyport {

inline constexpr std::size_t kMaxAuthorizedKeysFile = 1 << 20;
inline constexpr std::size_t kMaxAuthorizedKeysLine = 16 * 1024;
inline constexpr std::size_t kMaxPermits = 128;  // permitopen= and permitlisten= each, of a line

// One of permitopen= or permitlisten=.
struct ForwardPermit {
    std::string host{};                  // of permitlisten a pattern (ssh_pattern.h); of permitopen "*" or a name, IPv6 without brackets
    std::optional<std::uint16_t> port{};  // unset: "*", any
    bool operator==(const ForwardPermit&) const = default;
};

struct AuthorizedKeyOptions {
    std::optional<std::string> from{};     // unset: from anywhere
    std::optional<std::string> command{};  // instead of what the client asks for
    bool pty = true;
    bool port_forwarding = true;
    bool agent_forwarding = true;
    bool x11_forwarding = true;
    bool cert_authority = false;  // the key signs certificates and opens nothing itself
    bool touch_required = true;   // of security keys
    bool verify_required = false;
    std::vector<ForwardPermit> permit_open{};    // empty: everywhere
    std::vector<ForwardPermit> permit_listen{};  // empty: everywhere
    std::optional<WallTime> expires{};
    bool operator==(const AuthorizedKeyOptions&) const = default;

    bool lets_in_from(const IpAddress& address) const;
    bool expired(WallTime now) const { return expires && now >= *expires; }
    // port_forwarding included. Hosts as the client writes them: "localhost" is not "127.0.0.1".
    bool may_open(std::string_view host, std::uint16_t port) const;
    bool may_listen(std::string_view host, std::uint16_t port) const;
};

struct AuthorizedKey {
    SshPublicKey key{};
    AuthorizedKeyOptions options{};
    unsigned line = 1;  // of the file
};

struct AuthorizedKeys {
    struct Unusable {
        unsigned line;
        std::string why;
    };
    std::vector<AuthorizedKey> keys{};
    std::vector<Unusable> unusable{};  // at most 100 are kept

    const AuthorizedKey* find(const SshPublicKey& key) const;  // the first that is no certificate authority
};

Result<AuthorizedKey> parse_authorized_key(std::string_view line);  // Errc::invalid_argument, with a text for people
// Errc::too_large. Empty lines and comments (#) are passed over; whatever else can't be used is listed.
Result<AuthorizedKeys> parse_authorized_keys(std::string_view file);

}  // namespace sallyport
