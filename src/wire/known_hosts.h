// known_hosts.h: the file of sshd(8), "SSH_KNOWN_HOSTS FILE FORMAT": which host has which key. Plain and hashed names,
// wildcards, "[host]:port", @revoked, @cert-authority. Pure.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/octets.h"
#include "base/result.h"
#include "wire/ssh_public_key.h"

namespace sallyport {

inline constexpr std::size_t kMaxKnownHostsFile = 4 << 20;
inline constexpr std::uint16_t kSshPort = 22;

enum class HostKeyVerdict {
    unknown,  // nothing is known about this host
    known,    // this is its key
    changed,  // it has others
    revoked,  // this key is not to be trusted for anybody it is listed for
};

class KnownHosts {
public:
    // Errc::too_large. Lines that can't be read are passed over, as ssh does.
    static Result<KnownHosts> parse(std::string_view file);

    HostKeyVerdict judge(std::string_view host, std::uint16_t port, const SshPublicKey& key) const;
    // Keys the host is known by, without revoked ones and certificate authorities. With ssh's rule for ports other than 22:
    // lines for "[host]:port", and only if there are none those for the bare name.
    std::vector<SshPublicKey> keys_of(std::string_view host, std::uint16_t port) const;
    bool empty() const { return lines_.empty(); }

private:
    enum class Marker : std::uint8_t { none, revoked, cert_authority };
    struct Line {
        std::string hosts;  // as in the file
        SshPublicKey key;
        Marker marker = Marker::none;
    };
    static bool names(const Line& line, std::string_view name);
    std::vector<SshPublicKey> keys_named(std::string_view name) const;
    std::vector<Line> lines_;
};

// "home.example", "[home.example]:2222": how a host is called in the file.
std::string known_host_name(std::string_view host, std::uint16_t port);
// "[home.example]:2222 ssh-ed25519 AAAA…", without the line's end and the key's comment.
std::string known_hosts_line(std::string_view host, std::uint16_t port, const SshPublicKey& key);
// The same with the name hidden (HashKnownHosts); `salt` is 20 random octets.
std::string hashed_known_hosts_line(std::string_view host, std::uint16_t port, const SshPublicKey& key, Octets salt);

}  // namespace sallyport
