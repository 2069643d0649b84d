#include "config/agent_config.h"

#include <algorithm>
#include <array>

#include "config/keys.h"
#include "config/reader.h"
#include "config/service_config.h"
#include "config/state_dir.h"

namespace sallyport {
namespace {

constexpr std::array kKeys = {
    KeyInfo{"relay_url", "URL", "the relay: wss://relay.example.org (ws:// only to loopback); an enrolment sets it too"},
    KeyInfo{"server_url", "URL", "another name of relay_url"},
    KeyInfo{"api_key", "TOKEN", "reusable token, made by: sallyport admin agent add NAME --token", false},
    KeyInfo{"device_id", "ID", "with secret; made by: sallyport admin agent add NAME --device"},
    KeyInfo{"secret", "SECRET", "with device_id", false},
    KeyInfo{"enroll", "CODE", "enrolment code; as a flag it is visible in the process list"},
    KeyInfo{"enroll_file", "FILE", "file that holds an enrolment code"},
    KeyInfo{"ca_file", "FILE", "PEM file of the CAs that vouch for the relay (default: the system's)"},
    KeyInfo{"pin", "PIN", "the relay's identity key, as the relay prints it"},
    KeyInfo{"transport", "wss|ssh", "ssh: to any SSH server, as ssh -R does; hostname, server and servers imply it (default wss)"},
    KeyInfo{"hostname", "HOST", "the SSH server"},
    KeyInfo{"ssh_port", "PORT", "where it listens (default 22)"},
    KeyInfo{"username", "USER", "account there (default autossh)"},
    KeyInfo{"remote_ip_address", "ADDR", "address that it opens: 127.0.0.1, * for all, or a name (default 127.0.0.1)"},
    KeyInfo{"remote_port", "PORT", "port that it opens; 0: it chooses (default 8123)"},
    KeyInfo{"local_ip_address", "HOST", "where that leads (default: Home Assistant, found by itself)"},
    KeyInfo{"local_port", "PORT", "and the port there (default 8123)"},
    KeyInfo{"remote_forwarding", "BIND:PORT:HOST:PORT,...", "further forwards"},
    KeyInfo{"other_ssh_options", "OPTIONS", "words of ssh's command line"},
    KeyInfo{"private_key", "PEM", "instead of the agent's own key", false},
    KeyInfo{"private_key_file", "FILE", "file that holds it"},
    KeyInfo{"password", "PASSWORD", "must be empty: the agent logs in by key", false},
    KeyInfo{"host_key", "KEY,...", "the server's key or its SHA256 fingerprint (default: noted at first use)"},
    KeyInfo{"known_hosts", "FILE|LINES", "the same, as known_hosts lines"},
    KeyInfo{"force_keygen", "BOOL", "makes a new key, once"},
    KeyInfo{"skip_remote_host_checks", "BOOL", "no look at name, port and banner before the first connection (default false)"},
    KeyInfo{"server", "{host: HOST, port: PORT}", "other names of hostname and remote_port"},
    KeyInfo{"servers", "USER@HOST:PORT,...", "several servers"},
    KeyInfo{"servers_up", "all|one", "whether all of them are used, or one after the other (default all)"},
    KeyInfo{"state_dir", "DIR", "where the agent's key is (default: /var/lib/sallyport, else the XDG state folder)"},
    KeyInfo{"log_level", "LEVEL", "trace, debug, info, warn or error (default info)"},
    KeyInfo{"log_format", "FORMAT", "key_value or json (default key_value)"},
    KeyInfo{"heartbeat_interval", "DURATION", "a sign of life after so much silence (default 30s)"},
    KeyInfo{"heartbeat_timeout", "DURATION", "how long its answer may take (default 10s)"},
    KeyInfo{"resume_window", "DURATION", "how long streams wait when the connection is lost (default 60s)"},
    KeyInfo{"reconnect_base", "DURATION", "first wait before dialling again (default 1s)"},
    KeyInfo{"reconnect_max", "DURATION", "longest wait before dialling again (default 60s)"},
    KeyInfo{"request_timeout", "DURATION", "how long a service may think about a request (default 30s)"},
    KeyInfo{"concurrency_limit", "N", "requests in flight (default 100)"},
    KeyInfo{"services", "NAME=URL,...", "what may be reached here (default: Home Assistant, found by itself)"},
    KeyInfo{"allow_any_target", "BOOL", "lets the relay reach every host and port from here (default false)"},
    KeyInfo{"first_look", "BOOL", "at the first start, look whether all of the way works, and log what doesn't (default true)"},
};

// A code may have been wrapped or pasted with spaces.
void read_enroll(Reader& reader, Secret& out) {
    std::optional<std::string> code;
    reader.read_parsed("enroll", code, [](std::string_view text) -> Result<std::string> {
        std::string compact{text};
        std::erase_if(compact, [](char c) { return c == ' ' || (c >= '\t' && c <= '\r'); });
        return compact;
    });
    if (code) out = Secret(std::move(*code));
}

void read_connection(Reader& reader, AgentConfig& config) {
    reader.read_path("state_dir", config.state_dir);
    const std::string_view url_key = reader.either("relay_url", "server_url");
    reader.read_parsed(url_key, config.relay_url, parse_relay_url);
    reader.read_secret("api_key", config.api_key);
    reader.read_text("device_id", config.device_id);
    reader.read_secret("secret", config.secret);
    read_enroll(reader, config.enroll);
    reader.read_path("enroll_file", config.enroll_file);
    reader.read_path("ca_file", config.ca_file);
    std::optional<std::string> pin;
    reader.read_parsed("pin", pin, parse_pin);
    config.pin = pin.value_or("");
}

// A shared secret has no enrolment that could say where the relay is.
void check_connection(Reader& reader) {
    const bool device = reader.has("device_id"), secret = reader.has("secret"), api_key = reader.has("api_key");
    if (device) reader.require("secret", "device_id needs it");
    if (secret) reader.require("device_id", "secret needs it");
    if (api_key && (device || secret)) reader.refuse("api_key", "use either api_key or device_id with secret, not both");
    if ((api_key || device) && !reader.has("relay_url") && !reader.has("server_url"))
        reader.require("relay_url", "the relay's address, like wss://relay.example.org");
    if (reader.has("enroll") && reader.has("enroll_file")) reader.refuse("enroll_file", "use either enroll or enroll_file, not both");
}

void read_rest(Reader& reader, AgentConfig& config) {
    using namespace std::chrono_literals;
    reader.read_value("log_level", config.log_level, parse_log_level);
    reader.read_choice<LogFormat>("log_format", config.log_format, {{"key_value", LogFormat::key_value}, {"json", LogFormat::json}});
    reader.read_duration("heartbeat_interval", config.heartbeat_interval, 100ms, 1h);
    reader.read_duration("heartbeat_timeout", config.heartbeat_timeout, 100ms, 1h);
    reader.read_duration("resume_window", config.resume_window, 0ms, 10min);
    reader.read_duration("reconnect_base", config.reconnect_base, 10ms, 1h);
    reader.read_duration("reconnect_max", config.reconnect_max, 10ms, 24h);
    if (config.reconnect_max < config.reconnect_base)
        reader.refuse(reader.has("reconnect_max") ? "reconnect_max" : "reconnect_base", "reconnect_max is less than reconnect_base");
    reader.read_duration("request_timeout", config.request_timeout, 1ms, 24h);
    reader.read_integer("concurrency_limit", config.concurrency_limit, 1, 100'000);
    reader.read_bool("allow_any_target", config.allow_any_target);
    reader.read_bool("first_look", config.first_look);
    config.services = read_services(reader);
}

}  // namespace

std::span<const KeyInfo> agent_keys() { return kKeys; }

Result<AgentConfig> load_agent_config(const ConfigSources& sources) {
    const auto document = Document::load(sources);
    if (!document) return std::unexpected(document.error());
    Reader reader(*document);
    AgentConfig config;
    read_connection(reader, config);
    config.ssh = read_ssh(reader);
    if (!config.ssh) check_connection(reader);
    read_rest(reader, config);
    if (config.state_dir.empty()) config.state_dir = default_state_dir(sources.environment);
    if (config.state_dir.empty()) reader.require("state_dir", "there is neither /var/lib/sallyport nor a home folder");
    if (auto finished = reader.finish(); !finished) return std::unexpected(finished.error());
    config.warnings = reader.warnings();
    if (config.ssh)
        for (const SshServerConfig& server : config.ssh->servers)
            for (const std::string& warning : server.options.warnings) config.warnings.push_back("other_ssh_options: " + warning);
    if (config.allow_any_target)
        config.warnings.push_back("allow_any_target: whoever controls the relay reaches every host and port from here");
    return config;
}

}  // namespace sallyport
