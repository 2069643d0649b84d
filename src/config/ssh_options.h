// ssh_options.h: what stands in `other_ssh_options`: words of ssh(1)'s command line. Most of what people put there is
// understood by the agent itself; one word that isn't makes the system's ssh do the work. Pure.
#pragma once
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "wire/remote_forward.h"

namespace sallyport {

// StrictHostKeyChecking. "no" and "off" are read as accept-new: ssh(1) forwards nothing over a connection whose key has changed.
enum class HostKeyPolicy {
    accept_new,  // a key that was never seen is noted; another one later is refused
    known_only,  // only what host_key or known_hosts name
};

struct SshOptions {
    std::vector<std::string> words{};      // for ssh(1), without what the agent decides itself (-f, -N, -T, -t, -n, -M PORT)
    std::vector<std::string> only_ssh{};   // what only ssh(1) understands: "-J", "ProxyCommand"; empty: the agent does it itself
    std::optional<std::chrono::milliseconds> alive_interval{};  // ServerAliveInterval; 0: none
    std::optional<std::uint32_t> alive_count{};                 // ServerAliveCountMax
    std::optional<std::chrono::milliseconds> connect_timeout{};
    std::optional<std::uint16_t> port{};       // -p, Port
    std::string user{};                        // -l, User
    std::string identity_file{};               // -i, IdentityFile
    std::string known_hosts_file{};            // UserKnownHostsFile; /dev/null counts as unset
    std::optional<HostKeyPolicy> host_keys{};
    std::vector<RemoteForward> forwards{};     // -R
    std::vector<std::string> warnings{};
    bool operator==(const SshOptions&) const = default;
};

inline constexpr std::size_t kMaxSshOptions = 8192;  // octets

// Words are split as a shell would: blanks, "…", '…' and backslashes; nothing is expanded.
Result<std::vector<std::string>> split_words(std::string_view text);

// Errc::invalid_argument, with a text for people.
Result<SshOptions> parse_ssh_options(std::string_view text);

}  // namespace sallyport
