#include "relay/ssh_forward_rules.h"

#include <algorithm>

#include "wire/ip_network.h"

namespace sallyport::relay {
namespace {

constexpr std::size_t kShownChoices = 10;

using Places = std::vector<std::size_t>;

std::unexpected<Error> refuse(std::string why) { return fail(Errc::invalid_argument, std::move(why)); }

std::string lower(std::string_view text) {
    std::string out(text);
    for (char& c : out)
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
    return out;
}

std::string_view bare(std::string_view address) {
    if (address.size() > 2 && address.front() == '[' && address.back() == ']') address = address.substr(1, address.size() - 2);
    return address;
}

template <class Fits>
Places places_of(const std::vector<OwnedRoute>& owned, Fits fits) {
    Places found;
    for (std::size_t i = 0; i < owned.size(); ++i)
        if (fits(owned[i])) found.push_back(i);
    return found;
}

bool one_target(const std::vector<OwnedRoute>& owned, const Places& places) {
    return std::ranges::all_of(places, [&](std::size_t place) { return owned[place].target == owned[places.front()].target; });
}

std::string choice(const OwnedRoute& route) { return forward_option(route) + " for " + route.url; }

Result<Places> meant_by_name(const std::vector<OwnedRoute>& owned, const std::string& name, std::uint16_t port) {
    Places found = places_of(owned, [&](const OwnedRoute& route) { return route.hostname == name; });
    if (found.empty() && !name.starts_with("*."))
        found = places_of(owned, [&](const OwnedRoute& route) {
            const auto pattern = parse_host_pattern(route.hostname);
            return pattern && pattern->wildcard && pattern->matches(name);
        });
    if (found.empty()) return refuse("no route of this agent has the name " + name + "; it has " + choices(owned));
    if (found.size() == 1) return found;
    const auto narrow = [&](auto fits) {
        Places fitting;
        for (const std::size_t place : found)
            if (fits(owned[place])) fitting.push_back(place);
        return fitting;
    };
    if (auto by_port = narrow([&](const OwnedRoute& route) { return port != 0 && route.target_port == port; }); by_port.size() == 1) return by_port;
    if (auto root = narrow([](const OwnedRoute& route) { return route.path_prefix == "/"; }); !root.empty()) return root;
    return refuse(name + " has several routes; give the port of the service that is meant: " + choices(owned));
}

Result<Places> meant_by_port(const std::vector<OwnedRoute>& owned, std::uint16_t port) {
    if (port != 0) {
        Places tcp = places_of(owned, [&](const OwnedRoute& route) { return route.is_tcp() && route.listen.port == port; });
        if (!tcp.empty() && one_target(owned, tcp)) return tcp;
    }
    Places all = places_of(owned, [](const OwnedRoute&) { return true; });
    if (one_target(owned, all)) return all;
    if (port != 0) {
        Places fitting = places_of(owned, [&](const OwnedRoute& route) { return route.target_port == port; });
        if (!fitting.empty() && one_target(owned, fitting)) return fitting;
    }
    return refuse("this agent has several routes and the port doesn't say which is meant; choose from " + choices(owned));
}

Result<Places> meant_by_address(const std::vector<OwnedRoute>& owned, const IpAddress& address, std::uint16_t port) {
    Places found = places_of(owned, [&](const OwnedRoute& route) {
        const auto listens = parse_ip_address(route.listen.host);
        return route.is_tcp() && port != 0 && route.listen.port == port && (listens ? *listens == address : route.listen.host.empty());
    });
    if (!found.empty()) return found;
    return refuse("no address of the relay's machine is bound, only routes of this agent: " + choices(owned));
}

// How narrow a forward is: a name or an address before what only a port says.
bool is_narrow(const AskedForward& asked) { return !means_here(asked.address); }

}  // namespace

std::uint16_t port_of_target(std::string_view target) {
    if (target == "homeassistant") return 8123;
    const auto authority = parse_authority(target);
    return authority ? authority->port.value_or(0) : 0;
}

std::string forward_option(const OwnedRoute& route) {
    const std::string local = "localhost:" + (route.target_port != 0 ? std::to_string(route.target_port) : "PORT");
    const std::string listen = route.is_tcp() ? (route.listen.host.empty() ? "localhost:" + std::to_string(route.listen.port) : route.listen.text()) : route.hostname + ":80";
    return "-R " + listen + ":" + local;
}

std::string shown(const AskedForward& asked) {
    std::string address = asked.address.substr(0, kMaxForwardAddress);
    for (char& c : address)
        if (c <= ' ' || c >= 0x7f) c = '?';
    if (address.contains(':')) address = "[" + std::string(bare(address)) + "]";
    return address + ":" + std::to_string(asked.port);
}

bool means_here(std::string_view address) {
    address = bare(address);
    if (address.empty() || address == "*" || lower(address) == "localhost") return true;
    const auto ip = parse_ip_address(address);
    if (!ip) return false;
    const std::string text = ip->text();
    return text == "0.0.0.0" || text == "::" || text == "::1" || text.starts_with("127.");
}

std::string choices(const std::vector<OwnedRoute>& owned) {
    if (owned.empty()) return "none yet (sallyport admin route add)";
    std::string text;
    for (const OwnedRoute& route : std::span(owned).first(std::min(owned.size(), kShownChoices))) text += (text.empty() ? "" : ", ") + choice(route);
    if (owned.size() > kShownChoices) text += ", and " + std::to_string(owned.size() - kShownChoices) + " more";
    return text;
}

Result<std::vector<std::size_t>> routes_meant(const std::vector<OwnedRoute>& owned, const AskedForward& asked) {
    if (owned.empty()) return refuse("this agent has no route yet; on the relay: sallyport admin route add HOSTNAME AGENT");
    if (means_here(asked.address)) return meant_by_port(owned, asked.port);
    std::string name = lower(bare(asked.address));
    if (const auto ip = parse_ip_address(name)) {
        // A hostname may be an IPv4 address, for trials.
        if (std::ranges::any_of(owned, [&](const OwnedRoute& route) { return route.hostname == name; })) return meant_by_name(owned, name, asked.port);
        return meant_by_address(owned, *ip, asked.port);
    }
    if (name.ends_with('.')) name.pop_back();
    if (!parse_host_pattern(name)) return refuse("\"" + shown(asked) + "\" names no host; this agent has " + choices(owned));
    return meant_by_name(owned, name, asked.port);
}

std::vector<std::optional<std::size_t>> assign_routes(const std::vector<OwnedRoute>& owned, const std::vector<AskedForward>& asked) {
    std::vector<std::optional<std::size_t>> assigned(owned.size());
    for (const bool narrow : {false, true})
        for (std::size_t i = 0; i < asked.size(); ++i) {
            if (is_narrow(asked[i]) != narrow) continue;
            const auto meant = routes_meant(owned, asked[i]);
            if (!meant) continue;
            for (const std::size_t place : *meant) assigned[place] = i;
        }
    return assigned;
}

std::uint16_t choose_port(const OwnedRoute& route, std::uint16_t https_port, const std::vector<AskedForward>& taken) {
    const auto is_taken = [&](std::uint16_t port) { return std::ranges::any_of(taken, [&](const AskedForward& one) { return one.port == port; }); };
    std::uint16_t port = route.is_tcp() ? route.listen.port : https_port;
    while (port == 0 || is_taken(port)) ++port;
    return port;
}

}  // namespace sallyport::relay
