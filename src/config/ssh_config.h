// ssh_config.h: the agent's keys for `transport: ssh`, in three dialects that may not be mixed: our own list `servers`, the
// names of the autossh add-on (hostname, remote_port, …) and those of the reverse-tunnel add-on (server.host, server.port,
// private_key). docs/ssh.md has the table.
#pragma once
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/secret.h"
#include "config/reader.h"
#include "config/ssh_options.h"
#include "wire/remote_forward.h"

namespace sallyport {

// Where the server listens and where that leads.
struct SshForward {
    RemoteForward line;       // with to_home_assistant host and host_port are "" and 0
    bool to_home_assistant = false;  // the target `homeassistant`, found by itself unless services says where it is
    bool operator==(const SshForward&) const = default;
};

struct SshServerConfig {
    std::string name{};      // for people, the log and `agent trust`: the hostname, with port where that isn't unique
    std::string hostname{};  // a name or address
    std::uint16_t port = 22;
    std::string username{};
    std::vector<SshForward> forwards{};  // at least one; each address and port once
    Secret private_key{};                // PEM; empty: the agent's own
    std::filesystem::path private_key_file{};
    std::vector<std::string> host_keys{};  // "ssh-ed25519 AAAA…" or "SHA256:…"; empty: known_hosts, else noted at first use
    std::string known_hosts{};             // lines as in the file of this name
    std::filesystem::path known_hosts_file{};
    SshOptions options{};

    bool has_given_keys() const { return !host_keys.empty() || !known_hosts.empty() || !known_hosts_file.empty(); }
    std::string url() const;  // "ssh://home@relay.example.org:2222"
};

enum class ServersUp { all, one };

struct SshConfig {
    std::vector<SshServerConfig> servers{};  // at least one
    ServersUp up = ServersUp::all;
    bool force_keygen = false;
    bool skip_remote_host_checks = false;
};

inline constexpr std::size_t kMaxSshServers = 16;
inline constexpr std::size_t kMaxSshForwards = 64;  // of one server

// Nothing: the transport is not ssh. What is wrong is told to the reader; its keys are known to it afterwards in any case.
std::optional<SshConfig> read_ssh(Reader& reader);

// A key that was pasted into one line, or with "\n" written out, as it was before. Pure.
std::string unfold_private_key(std::string_view text);

}  // namespace sallyport
