// gateway_config.h: everything a gateway is told at its start. Read once, then passed as const&. docs/gateway.md explains the
// keys. Beside SALLYPORT_SOME_KEY its variables are GATEWAY_SOME_KEY, and REMOTE_* for the keys that begin with remote_.
#pragma once
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/log.h"
#include "base/octets.h"
#include "base/result.h"
#include "base/secret.h"
#include "config/document.h"
#include "wire/listen_address.h"

namespace sallyport {

struct GatewayPassword {
    Secret text;            // what the user types, if it isn't hashed
    std::string hash{};     // as check_password_hash() gave it; "": text counts
};

enum class MoshUse { automatic, off };               // automatic: where it works, else the terminal goes over SSH
enum class ResumeUse { ask, automatic, off };        // what a newcomer with waiting sessions is offered
enum class Prediction { adaptive, always, never, experimental };  // mosh's names

struct GatewayConfig {
    std::filesystem::path state_dir;                 // always set
    std::string remote_host{};                       // never empty
    std::uint16_t remote_port = 22;
    std::filesystem::path remote_known_hosts{};      // "": the key of first use, kept in the state folder
    bool remote_ignore_host_key = false;
    std::filesystem::path authorized_keys_path{};    // read anew whenever somebody logs in
    std::string authorized_keys_content{};           // lines of such a file
    bool password_auth = false;
    std::map<std::string, GatewayPassword, std::less<>> passwords{};  // by user
    bool accept_any_key = false;
    std::filesystem::path ssh_key_path{};            // the gateway's own key, with which it logs in to the remote
    Secret ssh_key_content{};                        // the same as text (PEM), decoded
    std::vector<ListenAddress> listen{};             // never empty
    std::filesystem::path host_key_path{"/etc/gateway/host_key"};
    bool host_key_path_is_set = false;               // else the state folder serves where that one can't be written
    std::optional<ListenAddress> metrics_listen{};   // unset: off
    LogLevel log_level = LogLevel::info;
    LogFormat log_format = LogFormat::key_value;

    MoshUse mosh = MoshUse::automatic;
    std::string mosh_server = "mosh-server";         // a path on the remote, [A-Za-z0-9._/-]
    std::uint16_t mosh_port_first = 60'001;
    std::uint16_t mosh_port_last = 60'999;
    std::chrono::milliseconds mosh_patience{5'000};  // for the first datagram; then SSH
    std::chrono::milliseconds mosh_server_timeout{7'200'000};  // MOSH_SERVER_NETWORK_TMOUT
    Prediction prediction = Prediction::adaptive;
    ResumeUse resume = ResumeUse::ask;
    std::chrono::milliseconds detach_timeout{3'600'000};  // how long a session waits for its user; 0: not at all
    std::uint32_t scrollback_lines = 10'000;
    int escape_key = 0x1E;                           // the octet that begins a command to the gateway: Ctrl-^; -1: none does

    std::chrono::milliseconds key_cache{60'000};     // how long a remote's authorized_keys is believed
    std::chrono::milliseconds warm_timeout{300'000}; // of a spare connection to the remote; 0: none is kept
    std::uint32_t warm_connections = 1;              // spare ones of a user and key
    std::chrono::milliseconds connect_timeout{60'000};    // to the remote, with authentication
    std::chrono::milliseconds keepalive_interval{15'000}; // on both sides; three unanswered ones end a connection
    std::chrono::milliseconds login_grace_time{60'000};
    std::chrono::milliseconds idle_timeout{0};       // of a connection without any octet; 0: never
    std::chrono::milliseconds drain_timeout{10'000}; // how long what isn't a terminal may take at the stop
    std::uint32_t max_login_attempts = 6;            // of a connection
    std::uint32_t max_login_failures = 10;           // of an address in a minute; then it waits
    std::uint32_t max_unauthenticated = 100;         // connections whose user isn't known yet
    std::uint32_t max_connections = 1'000;
    std::uint32_t max_connections_per_user = 200;
    std::uint32_t max_connections_per_address = 200;
    std::uint32_t max_channels = 100;                // of a connection
    std::vector<std::string> warnings{};             // for the log
};

// Errc::invalid_config; detail: one problem a line. `keys`: the folder whose id_ed25519, authorized_keys and known_hosts
// serve where nothing else is said (a container's volume).
Result<GatewayConfig> load_gateway_config(const ConfigSources& sources, const std::filesystem::path& keys = "/keys");

// One text for "who may log in by that name at all": [A-Za-z0-9._-]{1,64}, not starting with '-'. Such a name is no option and
// no path, and means nothing to any shell.
bool is_gateway_user(std::string_view name);

}  // namespace sallyport
