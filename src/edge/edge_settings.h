// edge_settings.h: the bounds in time and number that one loop's edge keeps to. Plain values, the same for every loop.
#pragma once
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "wire/ip_network.h"

namespace sallyport {

struct EdgeSettings {
    using Milliseconds = std::chrono::milliseconds;
    Milliseconds hello_deadline{10'000};      // for the whole ClientHello
    Milliseconds longest_wait{10'000};        // of a ClientHello that has come, for its handshake to begin: half of an agent's patience
    Milliseconds handshake_deadline{10'000};  // for TLS behind it
    Milliseconds head_deadline{10'000};       // from a header section's first octet to its last
    Milliseconds idle_timeout{75'000};        // before and between requests; above the 60 s many clients and balancers use
    Milliseconds content_timeout{60'000};     // without any octet of a request's content, while it is waited for
    Milliseconds stall_timeout{600'000};      // the visitor takes no octet of its answer: long, since a paused film does that too
    Milliseconds linger{10'000};              // after an early answer what the visitor still sends is dropped for so long
    Milliseconds last_linger{300};            // the same once everything is to end: nobody waits longer for those who hold a connection open
    Milliseconds offline_grace{5'000};        // how long a request waits for an agent that isn't connected
    Milliseconds permit_wait{2'000};          // how long it waits where concurrency_limit is reached

    // Who may connect to the plain listener, and over whom forwarded fields are read (believed_visitor.h).
    std::vector<IpNetwork> trusted_proxies;
    bool proxies_on_https = false;       // they are believed on the https listener too
    bool proxy_header_on_https = false;  // and put a PROXY header in front there,
    bool proxy_header_on_plain = false;  // or here,
    bool proxy_header_on_http = false;   // on the redirect listener,
    bool proxy_header_on_tcp = false;    // on the ports of TCP routes

    std::uint16_t public_https_port = 443;    // where the redirect listener sends visitors
    bool access_log = true;
    std::string cdn_loop_id = "sallyport";    // this relay's name in CDN-Loop (RFC 8586): a token, its own for each relay
};

}  // namespace sallyport
