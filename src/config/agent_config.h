// agent_config.h: everything an agent is told at its start. Read once, then passed as const&. docs/agent.md explains the keys.
// What an earlier enrolment left in the state folder is not in here: relay and key may come from there.
#pragma once
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/log.h"
#include "base/result.h"
#include "base/secret.h"
#include "config/document.h"
#include "config/ssh_config.h"
#include "wire/url.h"

namespace sallyport {

// How the certificate of an https target is judged.
enum class TargetTrust {
    automatic,  // valid for a system CA, else the key pinned at first use
    system_ca,  // system CA only
    pin,        // this key only
};

struct ServiceConfig {
    std::string name{};             // what the relay asks for; 1 to 64 of a-z 0-9 - _ .
    std::optional<Url> url{};       // http, https or tcp; unset: the built-in search for Home Assistant
    std::string tls_server_name{};  // "": the url's host
    TargetTrust trust = TargetTrust::automatic;
    std::string pin{};              // with TargetTrust::pin: SHA-256 of the SPKI as base64url
    bool operator==(const ServiceConfig&) const = default;
};

inline constexpr std::string_view kBuiltInService = "homeassistant";

struct AgentConfig {
    std::filesystem::path state_dir;  // always set
    std::optional<Url> relay_url{};   // wss, or ws to loopback; unset: what the enrolment left
    Secret api_key{};                 // empty: not used
    std::string device_id{};          // both or none
    Secret secret{};
    Secret enroll{};                     // an enrolment code, white space removed
    std::filesystem::path enroll_file{}; // holds one
    std::filesystem::path ca_file{};     // instead of the system's CAs
    std::string pin{};                   // of the relay's identity key: SHA-256 of the SPKI as base64url; "": CAs decide
    LogLevel log_level = LogLevel::info;
    LogFormat log_format = LogFormat::key_value;
    std::chrono::milliseconds heartbeat_interval{30'000};
    std::chrono::milliseconds heartbeat_timeout{10'000};
    std::chrono::milliseconds resume_window{60'000};  // how long streams wait for a new connection; 0: not at all
    std::chrono::milliseconds reconnect_base{1'000};
    std::chrono::milliseconds reconnect_max{60'000};
    std::chrono::milliseconds request_timeout{30'000};  // announced; the edge enforces it
    std::uint32_t concurrency_limit = 100;              // announced; requests in flight and upgraded streams
    std::vector<ServiceConfig> services{};              // never empty: at least the built-in one
    bool allow_any_target = false;
    bool first_look = true;  // the doctor's short form at the first start
    std::optional<SshConfig> ssh{};  // transport ssh: no relay of ours is dialled
    std::vector<std::string> warnings{};  // for the log
};

// Errc::invalid_config; detail: one problem a line.
Result<AgentConfig> load_agent_config(const ConfigSources& sources);

}  // namespace sallyport
