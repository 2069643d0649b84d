#include "config/relay_config.h"

#include <algorithm>
#include <array>

#include "config/keys.h"
#include "config/reader.h"
#include "config/state_dir.h"
#include "wire/host_name.h"

namespace sallyport {
namespace {

constexpr std::array kKeys = {
    KeyInfo{"state_dir", "DIR", "where database, keys and the admin socket are (default: /var/lib/sallyport, else the XDG state folder)"},
    KeyInfo{"https_listen", "ADDR:PORT", "where visitors and agents connect (default :443)"},
    KeyInfo{"http_listen", "ADDR:PORT", "redirects to https; or off (default :80)"},
    KeyInfo{"plain_listen", "LIST", "addresses for HTTP from a proxy in front; or off (default off)"},
    KeyInfo{"trusted_proxies", "LIST", "addresses and networks of proxies that say who a visitor is (default: loopback, for plain_listen on loopback)"},
    KeyInfo{"proxy_protocol", "LIST", "where trusted proxies begin with a PROXY header: https, http, plain, tcp (default: nowhere)"},
    KeyInfo{"ssh_listen", "ADDR:PORT", "where stock SSH clients (ssh -R) connect as agents; or off (default :2222, once an agent has an SSH key)"},
    KeyInfo{"metrics_listen", "ADDR:PORT", "Prometheus metrics; or off (default 127.0.0.1:9464)"},
    KeyInfo{"public_url", "URL", "how agents reach this relay, like https://relay.example.org"},
    KeyInfo{"base_domain", "DOMAIN", "agent NAME gets the hostname NAME.DOMAIN"},
    KeyInfo{"certificates", "LIST", "[{certificate: FILE, key: FILE}, ...], chosen by SNI (default: self-signed)"},
    KeyInfo{"tls_min_version", "VERSION", "of TLS that visitors have to speak: 1.2 or 1.3 (default 1.2)"},
    KeyInfo{"log_level", "LEVEL", "trace, debug, info, warn or error (default info)"},
    KeyInfo{"log_format", "FORMAT", "key_value or json (default key_value)"},
    KeyInfo{"access_log", "BOOL", "one log line for each request (default true)"},
    KeyInfo{"offline_grace", "DURATION", "how long requests wait for an agent that has just gone (default 5s)"},
    KeyInfo{"drain_timeout", "DURATION", "how long running requests may take when the relay stops (default 30s)"},
    KeyInfo{"resume_window", "DURATION", "how long an agent's streams wait when its connection is lost (default 60s)"},
    KeyInfo{"heartbeat_interval", "DURATION", "how often each agent is asked for a sign of life (default 30s)"},
    KeyInfo{"heartbeat_timeout", "DURATION", "how long it may be silent then, before its connection counts as lost (default 10s)"},
    KeyInfo{"health_interval", "DURATION", "how often the services behind routes are looked at (default 60s; 0s: not at all)"},
    KeyInfo{"threads", "N", "event loops (default 0: one per core)"},
    KeyInfo{"max_connections", "N", "of visitors, open at once (default 0: what descriptors allow)"},
    KeyInfo{"max_connections_per_address", "N", "the same from one IPv4 address or IPv6 /64 (default 1024)"},
    KeyInfo{"max_connection_rate", "N", "new ones a second (default 5000)"},
    KeyInfo{"max_connection_rate_per_address", "N", "the same from one address (default 100)"},
    KeyInfo{"max_handshakes", "N", "TLS handshakes under way (default 10000)"},
    KeyInfo{"max_handshakes_per_address", "N", "the same from one address (default 512)"},
    KeyInfo{"max_reset_rate_per_address", "N", "requests a second that an address may give up half-way (default 100)"},
    KeyInfo{"unlimited_addresses", "LIST", "addresses and networks whose connections count in all only, and who are never banned (default 127.0.0.0/8, ::1)"},
    KeyInfo{"ban_shield", "BOOL", "whoever fails to log in too often has to wait (default true)"},
    KeyInfo{"ban_after", "N", "failures until an address is banned from logging in (default 10)"},
    KeyInfo{"ban_time", "DURATION", "how long; doubled with each further ban (default 1m)"},
    KeyInfo{"ban_time_max", "DURATION", "the longest ban (default 1h)"},
    KeyInfo{"max_streams_per_agent", "N", "requests and upgraded connections of a tunnel (default 4096)"},
    KeyInfo{"max_buffered_per_agent", "SIZE", "how far the windows of a tunnel's streams may grow together (default 64MiB)"},
    KeyInfo{"max_buffered", "SIZE", "held for peers that don't take it (default 0: a third of the memory)"},
    KeyInfo{"max_agents", "N", "tunnels at the same time (default 10000)"},
};

Result<std::optional<ListenAddress>> parse_listen_or_off(std::string_view text) {
    if (text == "off" || text == "false") return std::nullopt;
    auto address = parse_listen_address(text);
    if (!address) return std::unexpected(address.error());
    return std::optional(std::move(*address));
}

void read_certificates(Reader& reader, std::vector<CertificateFiles>& out) {
    for (const Reader::Item& item : reader.read_items("certificates")) {
        reader.read_section(item, [&](Reader& section) {
            CertificateFiles files;
            section.read_path("certificate", files.certificate);
            section.read_path("key", files.key);
            section.require("certificate", "the PEM file with the certificate chain");
            section.require("key", "the PEM file with the certificate's private key");
            out.push_back(std::move(files));
        });
    }
}

// The whole list is replaced; an empty one is a list too. A variable or flag may name just one.
void read_networks(Reader& reader, std::string_view key, std::vector<IpNetwork>& out) {
    if (!reader.is_set(key)) return;
    out.clear();
    for (const Reader::Item& item : reader.read_items(key)) {
        const auto text = reader.scalar(item);
        if (!text) continue;
        auto network = IpNetwork::parse(*text);
        if (network) out.push_back(std::move(*network));
        else reader.refuse(item, network.error().detail);
    }
}

void read_plain_listen(Reader& reader, std::vector<ListenAddress>& out) {
    for (const Reader::Item& item : reader.read_items("plain_listen")) {
        const auto text = reader.scalar(item);
        if (!text) continue;
        auto address = parse_listen_or_off(*text);
        if (!address) reader.refuse(item, address.error().detail);
        else if (*address) out.push_back(std::move(**address));
    }
}

void read_proxy_protocol(Reader& reader, RelayConfig& config) {
    for (const Reader::Item& item : reader.read_items("proxy_protocol")) {
        const auto text = reader.scalar(item);
        if (!text) continue;
        if (*text == "https") config.proxy_header_on_https = true;
        else if (*text == "plain") config.proxy_header_on_plain = true;
        else if (*text == "http") config.proxy_header_on_http = true;
        else if (*text == "tcp") config.proxy_header_on_tcp = true;
        else reader.refuse(item, "\"" + std::string(*text) + "\" is no listener that takes PROXY headers (https, http, plain or tcp)");
    }
}

// Whoever is on the network must not be able to say who he is, so nobody is trusted by default but programs on this machine.
void read_proxies(Reader& reader, RelayConfig& config) {
    read_plain_listen(reader, config.plain_listen);
    read_networks(reader, "trusted_proxies", config.trusted_proxies);
    read_proxy_protocol(reader, config);
    config.proxies_on_https = reader.is_set("trusted_proxies");
    const bool open = !std::ranges::all_of(config.plain_listen, &ListenAddress::is_loopback);
    if (open) reader.require("trusted_proxies", "who may connect to plain_listen and is believed who a visitor is");
    else if (config.proxy_header_on_https) reader.require("trusted_proxies", "who may send PROXY headers to https_listen");
    else if (config.proxy_header_on_http) reader.require("trusted_proxies", "who may send PROXY headers to http_listen");
    else if (config.proxy_header_on_tcp) reader.require("trusted_proxies", "who may send PROXY headers to the ports of TCP routes");
    if (!config.proxies_on_https && !config.plain_listen.empty())
        for (const std::string_view loopback : {"127.0.0.0/8", "::1"}) config.trusted_proxies.push_back(*IpNetwork::parse(loopback));
}

void read_all(Reader& reader, RelayConfig& config) {
    using namespace std::chrono_literals;
    reader.read_path("state_dir", config.state_dir);
    reader.read_value("https_listen", config.https_listen, parse_listen_address);
    reader.read_value("http_listen", config.http_listen, parse_listen_or_off);
    read_proxies(reader, config);
    reader.read_value("ssh_listen", config.ssh_listen, parse_listen_or_off);
    config.ssh_listen_given = reader.is_set("ssh_listen");
    reader.read_value("metrics_listen", config.metrics_listen, parse_listen_or_off);
    reader.read_parsed("public_url", config.public_url, parse_public_url);
    std::optional<std::string> base_domain;
    reader.read_parsed("base_domain", base_domain, parse_host_name);
    config.base_domain = base_domain.value_or("");
    read_certificates(reader, config.certificates);
    reader.read_choice<TlsVersion>("tls_min_version", config.tls_min_version, {{"1.2", TlsVersion::tls1_2}, {"1.3", TlsVersion::tls1_3}});
    reader.read_value("log_level", config.log_level, parse_log_level);
    reader.read_choice<LogFormat>("log_format", config.log_format, {{"key_value", LogFormat::key_value}, {"json", LogFormat::json}});
    reader.read_bool("access_log", config.access_log);
    reader.read_duration("offline_grace", config.offline_grace, 0s, 5min);
    reader.read_duration("drain_timeout", config.drain_timeout, 0s, 1h);
    reader.read_duration("resume_window", config.resume_window, 0s, 10min);
    reader.read_duration("heartbeat_interval", config.heartbeat_interval, 1s, 10min);
    reader.read_duration("heartbeat_timeout", config.heartbeat_timeout, 100ms, 5min);
    reader.read_duration("health_interval", config.health_interval, 0s, 24h);
    reader.read_integer("threads", config.threads, 0, 256);
    reader.read_integer("max_connections", config.max_connections, 0, 1'000'000);
    reader.read_integer("max_connections_per_address", config.max_connections_per_address, 1, 1'000'000);
    reader.read_integer("max_connection_rate", config.max_connection_rate, 1, 1'000'000);
    reader.read_integer("max_connection_rate_per_address", config.max_connection_rate_per_address, 1, 1'000'000);
    reader.read_integer("max_handshakes", config.max_handshakes, 1, 1'000'000);
    reader.read_integer("max_handshakes_per_address", config.max_handshakes_per_address, 1, 1'000'000);
    reader.read_integer("max_reset_rate_per_address", config.max_reset_rate_per_address, 1, 1'000'000);
    read_networks(reader, "unlimited_addresses", config.unlimited_addresses);
    reader.read_bool("ban_shield", config.ban_shield);
    reader.read_integer("ban_after", config.ban_after, 1, 100'000);
    reader.read_duration("ban_time", config.ban_time, 1s, 24h);
    reader.read_duration("ban_time_max", config.ban_time_max, 1s, 30 * 24h);
    reader.read_integer("max_streams_per_agent", config.max_streams_per_agent, 1, 100'000);
    reader.read_octets("max_buffered_per_agent", config.max_buffered_per_agent, 1_MiB, 64_GiB);
    reader.read_octets("max_buffered", config.max_buffered, 1_MiB, 64_GiB * 1024);
    reader.read_integer("max_agents", config.max_agents, 1, 1'000'000);
}

}  // namespace

std::span<const KeyInfo> relay_keys() { return kKeys; }

Result<RelayConfig> load_relay_config(const ConfigSources& sources) {
    const auto document = Document::load(sources);
    if (!document) return std::unexpected(document.error());
    Reader reader(*document);
    RelayConfig config;
    for (const std::string_view loopback : {"127.0.0.0/8", "::1"}) config.unlimited_addresses.push_back(*IpNetwork::parse(loopback));
    read_all(reader, config);
    if (config.state_dir.empty()) config.state_dir = default_state_dir(sources.environment);
    if (config.state_dir.empty()) reader.require("state_dir", "there is neither /var/lib/sallyport nor a home folder");
    if (auto finished = reader.finish(); !finished) return std::unexpected(finished.error());
    config.warnings = reader.warnings();
    return config;
}

}  // namespace sallyport
