// proxy_trust.h: what a connection's peer is believed to know about visitors, and what travels with a fresh connection until it is
// spoken on. Plain values.
#pragma once
#include <cstdint>
#include <optional>
#include <string_view>

#include "edge/visitor_limits.h"
#include "net/socket_address.h"

namespace sallyport {

enum class Scheme : std::uint8_t { http, https };
constexpr std::string_view name_of(Scheme scheme) { return scheme == Scheme::https ? "https" : "http"; }

struct ProxyTrust {
    bool visitor = false;           // forwarded fields say who the visitor is: the peer is one of trusted_proxies
    bool scheme = false;            // forwarded fields say whether the visitor came by https
    Scheme unsaid = Scheme::https;  // what counts where they don't
};

struct VisitorEntry {
    VisitorLimits::Visit visit{};
    ProxyTrust trust{};
    std::optional<SocketAddress> named{};  // by a PROXY header: who stands behind the socket's peer
};

}  // namespace sallyport
