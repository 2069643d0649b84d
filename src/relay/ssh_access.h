// ssh_access.h: the relay's SSH side as a whole: its host key, where it listens, and what a door of each loop needs to begin. Listens from the
// start where ssh_listen is configured; with the default, once an agent has an SSH key; then until the relay ends. Made before the
// loops run; after the start used on the store's thread only.
#pragma once
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/log.h"
#include "config/relay_config.h"
#include "relay/listeners.h"
#include "relay/open_listeners.h"
#include "relay/strand.h"
#include "ssh/key_file.h"
#include "ssh/server_connection.h"

namespace sallyport::relay {

inline constexpr std::string_view kSshHostKeyFile = "ssh_host_ed25519_key";  // in the state folder, OpenSSH's format

// What is told about it.
struct SshFacts {
    std::optional<SocketAddress> address{};  // unset: nothing listens
    std::string why_not{};                   // then: "ssh_listen is off", a failure to bind
    SshPublicKey host_key{};
};

class SshAccess {
public:
    SshAccess(Log& log, OpenListeners& open) : log_(log), open_(open) {}

    // In this order. The first fails where ssh_listen is given and can't be bound, the second where the key can't be read or made.
    Result<> open_configured(const RelayConfig& config, Predecessor* predecessor, std::size_t loops);
    Result<> load_key(const std::filesystem::path& state_dir, const RelayConfig& config);
    // Before the loops run; the doors are made. `needed`: an agent has an SSH key. A default that can't be bound is told in the log.
    void begin(Strands& strands, bool needed);

    // An agent is about to have an SSH key, or has one. Errors: why nobody can come by it.
    Result<> need();
    SshFacts facts() const;

private:
    Result<> listen();
    void give_to_doors(Listeners listeners);

    Log& log_;
    OpenListeners& open_;
    std::optional<ListenAddress> configured_;  // unset: off
    bool given_ = false;                       // by the owner, not by default
    std::size_t loops_ = 1;
    std::optional<Listeners> waiting_;         // for begin()
    std::optional<ssh::PrivateKey> key_;
    ssh::ServerSettings settings_;
    Strands* strands_ = nullptr;
    std::optional<SocketAddress> address_;
    std::string why_not_;
};

// "-p 2222" and the like; what to type to connect. `host`: as clients reach the relay.
std::string ssh_command(const std::string& forwards, const std::string& agent, const std::string& host, std::uint16_t port);

}  // namespace sallyport::relay
