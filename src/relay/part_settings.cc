#include "relay/part_settings.h"

#include <algorithm>

#include "relay/machine_memory.h"

namespace sallyport::relay {
namespace {

constexpr std::size_t kConnectionsALoop = 16'384;  // of visitors, by default
constexpr std::size_t kMostReserve = 256;          // connections beyond the bound, for agents that come back
constexpr std::size_t kDescriptorsKept = 64;  // for the database, logs, listeners and what libraries open

}  // namespace

TunnelSettings tunnel_settings(const RelayConfig& config) {
    TunnelSettings settings;
    settings.heartbeat_interval = config.heartbeat_interval;
    settings.heartbeat_timeout = config.heartbeat_timeout;
    settings.resume_window = config.resume_window;
    settings.most_streams = config.max_streams_per_agent;
    settings.window_budget = config.max_buffered_per_agent;
    return settings;
}

EdgeSettings edge_settings(const RelayConfig& config, std::uint16_t public_port, std::string_view pin) {
    EdgeSettings settings;
    settings.offline_grace = config.offline_grace;
    settings.access_log = config.access_log;
    settings.trusted_proxies = config.trusted_proxies;
    settings.proxies_on_https = config.proxies_on_https;
    settings.proxy_header_on_https = config.proxy_header_on_https;
    settings.proxy_header_on_plain = config.proxy_header_on_plain;
    settings.proxy_header_on_http = config.proxy_header_on_http;
    settings.proxy_header_on_tcp = config.proxy_header_on_tcp;
    settings.public_https_port = public_port;
    settings.cdn_loop_id = "sallyport-" + std::string(pin.substr(0, 12));
    return settings;
}

// Descriptors are shared out: some for ourselves, some for tunnels (up to a quarter), the rest for visitors.
VisitorBounds visitor_bounds(const RelayConfig& config, std::size_t descriptors, std::size_t loops) {
    const std::size_t usable = descriptors - std::min(descriptors, kDescriptorsKept);
    const std::size_t tunnels = std::min<std::size_t>(config.max_agents, usable / 4);
    const std::size_t most = std::max<std::size_t>(usable - tunnels, 16);
    const std::size_t wanted = config.max_connections > 0 ? config.max_connections : kConnectionsALoop * loops;
    VisitorBounds bounds;
    bounds.connections = static_cast<std::uint32_t>(std::min(wanted, most));
    bounds.reserve = static_cast<std::uint32_t>(std::clamp<std::size_t>(tunnels / 2, 4, kMostReserve));
    bounds.connection_rate = config.max_connection_rate;
    bounds.handshakes = config.max_handshakes;
    bounds.address_connections = config.max_connections_per_address;
    bounds.address_connection_rate = config.max_connection_rate_per_address;
    bounds.address_handshakes = config.max_handshakes_per_address;
    bounds.address_reset_rate = config.max_reset_rate_per_address;
    bounds.exempt = config.unlimited_addresses;
    return bounds;
}

BanBounds ban_bounds(const RelayConfig& config) {
    return {.on = config.ban_shield, .after = config.ban_after, .time = config.ban_time, .longest = config.ban_time_max, .exempt = config.unlimited_addresses};
}

ByteCount max_buffered(const RelayConfig& config) {
    return config.max_buffered > 0 ? config.max_buffered : default_max_buffered(usable_memory());
}

}  // namespace sallyport::relay
