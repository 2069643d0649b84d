// part_settings.h: what the configuration means for each part of the relay. Pure, but that max_buffered looks at the machine's memory.
#pragma once
#include <cstdint>
#include <string_view>

#include "config/relay_config.h"
#include "edge/ban_shield.h"
#include "edge/edge_settings.h"
#include "edge/visitor_limits.h"
#include "tunnel/tunnel.h"

namespace sallyport::relay {

TunnelSettings tunnel_settings(const RelayConfig& config);
// `public_port`: what visitors type behind the hostname; `pin`: of the relay's identity, by which it knows itself in a loop of proxies.
EdgeSettings edge_settings(const RelayConfig& config, std::uint16_t public_port, std::string_view pin);
// Out of `descriptors`, most that the process may have open.
VisitorBounds visitor_bounds(const RelayConfig& config, std::size_t descriptors, std::size_t loops);
BanBounds ban_bounds(const RelayConfig& config);
ByteCount max_buffered(const RelayConfig& config);

}  // namespace sallyport::relay
