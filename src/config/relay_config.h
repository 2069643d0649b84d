// relay_config.h: everything a relay is told at its start. Read once, then passed as const&. docs/relay.md explains the keys.
#pragma once
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/log.h"
#include "base/octets.h"
#include "base/result.h"
#include "config/document.h"
#include "wire/ip_network.h"
#include "wire/listen_address.h"
#include "wire/tls_version.h"
#include "wire/url.h"

namespace sallyport {

struct CertificateFiles {
    std::filesystem::path certificate;  // PEM, the chain behind it
    std::filesystem::path key;          // PEM
    bool operator==(const CertificateFiles&) const = default;
};

struct RelayConfig {
    std::filesystem::path state_dir;                                    // always set
    ListenAddress https_listen{"", 443};
    std::optional<ListenAddress> http_listen = ListenAddress{"", 80};   // redirects to https; unset: off
    std::vector<ListenAddress> plain_listen{};                          // HTTP for a proxy in front; empty: off
    // Whom we believe who a visitor is. Empty only if neither plain_listen nor proxy_protocol is used.
    std::vector<IpNetwork> trusted_proxies{};
    bool proxies_on_https = false;        // trusted_proxies is set: they are believed on https_listen too
    bool proxy_header_on_https = false;   // proxy_protocol
    bool proxy_header_on_plain = false;
    bool proxy_header_on_http = false;
    bool proxy_header_on_tcp = false;     // the ports of TCP routes
    std::optional<ListenAddress> ssh_listen = ListenAddress{"", 2222};  // stock SSH clients; unset: off
    bool ssh_listen_given = false;        // else it is opened once an agent has an SSH key
    std::optional<ListenAddress> metrics_listen = ListenAddress{"127.0.0.1", 9464};  // unset: off
    std::optional<Url> public_url{};                                    // where agents reach this relay; goes into enrolment codes
    std::string base_domain{};                                          // "agent add home" gives home.<base_domain>; "" is: none
    std::vector<CertificateFiles> certificates{};                       // chosen by SNI; none: self-signed
    TlsVersion tls_min_version = TlsVersion::tls1_2;                    // of visitors; agents speak 1.3
    LogLevel log_level = LogLevel::info;
    LogFormat log_format = LogFormat::key_value;
    bool access_log = true;
    std::chrono::milliseconds offline_grace{5'000};  // how long a request waits for an agent that has just gone
    std::chrono::milliseconds drain_timeout{30'000}; // how long running requests may take at the stop
    std::chrono::milliseconds resume_window{60'000}; // how long a session waits for a new connection; 0: not at all
    std::chrono::milliseconds heartbeat_interval{30'000}; // between PINGs to an agent
    std::chrono::milliseconds heartbeat_timeout{10'000};  // after a PING, until any octet arrives
    std::chrono::milliseconds health_interval{60'000}; // between two probes of a route's target; 0: none
    std::uint32_t threads = 0;                       // 0: one per core
    // Limits; what they count is in edge/visitor_limits.h.
    std::uint32_t max_connections = 0;               // 0: as many as descriptors allow
    std::uint32_t max_connections_per_address = 1'024;
    std::uint32_t max_connection_rate = 5'000;       // new ones a second
    std::uint32_t max_connection_rate_per_address = 100;
    std::uint32_t max_handshakes = 10'000;
    std::uint32_t max_handshakes_per_address = 512;
    std::uint32_t max_reset_rate_per_address = 100;  // requests given up half-way, a second
    std::vector<IpNetwork> unlimited_addresses{};    // load_relay_config: loopback, unless the key is set
    bool ban_shield = true;                          // edge/ban_shield.h
    std::uint32_t ban_after = 10;                    // failed logins
    std::chrono::milliseconds ban_time{60'000};       // of a first ban; doubled with each further one
    std::chrono::milliseconds ban_time_max{3'600'000};
    std::uint32_t max_streams_per_agent = 4'096;
    ByteCount max_buffered_per_agent = 64_MiB;       // growth of the windows of one tunnel's streams
    ByteCount max_buffered = 0;                      // held for peers that don't take it; 0: by the machine's memory
    std::uint32_t max_agents = 10'000;               // with a live tunnel; the next are refused
    std::vector<std::string> warnings{};             // for the log: variables that look like ours and are not
};

// Errc::invalid_config; detail: one problem a line.
Result<RelayConfig> load_relay_config(const ConfigSources& sources);

}  // namespace sallyport
