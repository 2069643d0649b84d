// ssh_forward_rules.h: what `ssh -R` may mean here. A client asks to listen at an address and port of the relay's machine; what it gets
// is one or more routes of its agent, and never a socket: the names and ports that routes have are all there is to be bound.
//
//   a name                                its routes: of the hostname, or of a wildcard that covers it. Where there are several (path
//                                         prefixes), the one whose target has that port, else the one for "/"
//   "", *, localhost, 127.x, ::1, 0.0.0.0 of TCP routes the one with that port; else the agent's only target, else the one that has that
//                                         port. Routes with one target go together
//   another address                       the TCP route that listens there
//   port 0                                as above, without a port to go by
//
// A later, or narrower, forward takes a route from a wider one: -R 8123:… -R wiki.example.org:80:… . Pure.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "wire/host_name.h"
#include "wire/listen_address.h"

namespace sallyport::relay {

// A route that an agent has, as far as forwards are concerned.
struct OwnedRoute {
    std::string id{};
    std::string hostname{};           // or "*.example.org"; empty: a TCP route
    std::string path_prefix = "/";
    ListenAddress listen{};           // of a TCP route
    std::string target{};
    std::uint16_t target_port = 0;    // 0: not known
    std::string url{};                // for people: "https://home.example.org/", "port 127.0.0.1:1883"
    bool is_tcp() const { return hostname.empty(); }
    bool operator==(const OwnedRoute&) const = default;
};

// The port of a target as far as its name says it: "host:port", or 8123 of "homeassistant"; 0: unknown.
std::uint16_t port_of_target(std::string_view target);

// As in SSH's tcpip-forward (RFC 4254 7.1).
struct AskedForward {
    std::string address{};
    std::uint16_t port = 0;
    bool operator==(const AskedForward&) const = default;
};
inline constexpr std::size_t kMaxForwardAddress = 255;

// "127.0.0.1:8123", "home.example.org:80", ":0": what stood behind -R, safe to be shown.
std::string shown(const AskedForward& asked);

// The routes (places in `owned`) that are meant. Errc::invalid_argument, with a text for the person at the client.
Result<std::vector<std::size_t>> routes_meant(const std::vector<OwnedRoute>& owned, const AskedForward& asked);

// Which forward serves each route: for each of `owned` a place in `asked`, or nothing. What `asked` names is unique.
std::vector<std::optional<std::size_t>> assign_routes(const std::vector<OwnedRoute>& owned, const std::vector<AskedForward>& asked);

// What to answer to port 0: the port at which visitors reach the first route, unless a forward of the client has it already.
std::uint16_t choose_port(const OwnedRoute& route, std::uint16_t https_port, const std::vector<AskedForward>& taken);

// Whether the address is one of those that mean "here", so that the port alone says what is meant.
bool means_here(std::string_view address);

// "-R home.example.org:80:localhost:8123": what binds this route and no other.
std::string forward_option(const OwnedRoute& route);

// "-R home.example.org:80:localhost:8123 for https://home.example.org/", one for each of at most ten routes, with ", " between.
std::string choices(const std::vector<OwnedRoute>& owned);

}  // namespace sallyport::relay
