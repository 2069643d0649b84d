// edge_metrics.h: what one loop's edge counts. Written on that loop only; read from any thread (relaxed atomics: each
// figure is right, two may be a moment apart). Counters never go backwards: those of a removed route stay.
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/counter.h"
#include "base/octets.h"

namespace sallyport {

struct RouteCounters {
    std::string hostname;
    std::string path_prefix;
    std::array<Counter, 6> requests;  // by status class: [2] is 2xx; [0] stands for cut off without an answer
    Counter octets_in;                // request content
    Counter octets_out;               // response content, and what upgraded streams carry
};

// Of a public port; the HTTP ones have RouteCounters.
struct TcpRouteCounters {
    std::string listen;
    Counter connections;  // ever
    Counter open;         // now
    Counter refused;      // not on the allow list
    Counter failed;       // came to nothing: TLS, agent, target
    Counter octets_in;    // towards home
    Counter octets_out;
};

// Why a connection never came to a request.
enum class HandshakeRefusal : std::uint8_t {
    plain_http,
    not_tls,
    malformed,
    too_large,
    timeout,
    tls_failed,
    gone,
    overload,
    untrusted_proxy,  // on the plain listener, and not one of trusted_proxies
    proxy_header,     // from a trusted proxy: malformed, or none
};
inline constexpr std::size_t kHandshakeRefusals = 10;
std::string_view name_of(HandshakeRefusal reason);

// Why a route's policy let a request not through.
enum class PolicyRefusal : std::uint8_t { unreadable, address, maintenance, path, ambiguous_path, content, no_password, wrong_password, password_busy, banned };
inline constexpr std::size_t kPolicyRefusals = 10;
std::string_view name_of(PolicyRefusal reason);

class EdgeMetrics {
public:
    Counter open_connections;
    Counter upgraded_streams;    // open now
    Counter accepted;            // connections, ever
    Counter handed_over;         // to another loop, after the ClientHello
    Counter unknown_host;        // requests
    Counter error_pages;         // answers that the edge made itself for want of an origin's
    Counter accept_failures;     // descriptors had run out; once a pause of a listener
    Counter http2_refused;       // HTTP/2 connections that were told to calm down, or broke rules that nghttp2 leaves to us
    Counter retried;             // requests sent once more on a fresh stream
    std::array<Counter, kHandshakeRefusals> handshakes_refused;  // by HandshakeRefusal
    std::array<Counter, kPolicyRefusals> policy_refused;         // by PolicyRefusal

    // The counters of a route, made when first asked for: routes that nobody asks for have none. On the loop.
    RouteCounters& route(const std::string& route_id, const std::string& hostname, const std::string& path_prefix);

    TcpRouteCounters& tcp_route(const std::string& route_id, const std::string& listen);

    // Any thread: fn(std::string_view route_id, const RouteCounters&).
    template <class Fn>
    void for_each_route(Fn&& fn) const {
        const std::lock_guard lock(mutex_);
        for (const auto& [id, counters] : routes_) fn(std::string_view(id), *counters);
    }

    template <class Fn>
    void for_each_tcp_route(Fn&& fn) const {
        const std::lock_guard lock(mutex_);
        for (const auto& [id, counters] : tcp_routes_) fn(std::string_view(id), *counters);
    }

private:
    mutable std::mutex mutex_;  // guards the map, not the counters; the loop, which alone changes it, reads without
    std::unordered_map<std::string, std::unique_ptr<RouteCounters>> routes_;
    std::map<std::string, std::unique_ptr<TcpRouteCounters>> tcp_routes_;
};

}  // namespace sallyport
