// proxy_header.h: the PROXY protocol's header, versions 1 (text) and 2 (binary), as written down by HAProxy
// (doc/proxy-protocol.txt): what a proxy says in front of a connection's first octets about who stands behind it.
// Pure. Whether a peer is believed is the caller's decision; a header from anybody else is a lie.
#pragma once
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "base/octets.h"
#include "base/result.h"

namespace sallyport {

// An address of IPv4 or IPv6, in the text form of RFC 5952; IPv4-mapped ones as the IPv4 they are.
struct ProxyEndpoint {
    std::string ip;
    std::uint16_t port = 0;
    bool operator==(const ProxyEndpoint&) const = default;
};

struct ProxyHeader {
    struct Connection {
        ProxyEndpoint source;       // who connected to the proxy
        ProxyEndpoint destination;  // and where
        bool operator==(const Connection&) const = default;
    };
    // Nothing for v1 UNKNOWN, v2 LOCAL (a health check of the proxy's own) and families without IP addresses: the
    // connection's own addresses count then.
    std::optional<Connection> connection;
    std::size_t size = 0;  // octets of the header; what follows is the connection's
    bool operator==(const ProxyHeader&) const = default;
};

inline constexpr std::size_t kMaxProxyHeaderV1 = 107;  // the standard's own bound, CR LF included
inline constexpr std::size_t kMaxProxyHeaderV2 = 16 + 4096;  // type-length-values are skipped, not read

// Reads a header from the front of everything received so far. Errc::need_more; Errc::protocol: these octets begin no
// header, or a malformed one; Errc::too_large. Datagram transports are refused: this is about stream connections.
Result<ProxyHeader> parse_proxy_header(Octets in);

// Version 2, command PROXY, without type-length-values. Endpoints of two families are both written as IPv6 (mapped);
// something that is no IP address gives the LOCAL header, which says nothing.
std::string format_proxy_header(const ProxyHeader::Connection& connection);

}  // namespace sallyport
