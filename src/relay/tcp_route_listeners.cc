#include "relay/tcp_route_listeners.h"

#include <algorithm>

#include "relay/listeners.h"
#include "wire/listen_address.h"

namespace sallyport::relay {

Result<> TcpRouteListeners::bind(const std::string& listen) {
    Port& port = ports_[listen];
    if (port.listener) return {};
    const auto fail_with = [&](const Error& error) {
        port.error = error.detail;
        return std::unexpected(error);
    };
    const auto address = parse_listen_address(listen);
    if (!address) return fail_with(address.error());
    auto bound = listen_on(*address, 1, "listen");
    if (!bound) return fail_with(bound.error());
    hold(listen, std::move(bound->descriptors.front()));
    return {};
}

void TcpRouteListeners::adopt(const std::string& listen, Descriptor listener) { hold(listen, std::move(listener)); }

void TcpRouteListeners::hold(const std::string& listen, Descriptor listener) {
    open_.add("tcp", listen, listener.get());
    const SocketAddress address = SocketAddress::local_of(listener.get());
    ports_[listen] = {std::make_shared<const Descriptor>(std::move(listener)), address, ""};
    log_.info("relay.listening", {{"listener", "tcp"}, {"address", address.text()}});
}

void TcpRouteListeners::keep(const std::vector<store::TcpRoute>& routes) {
    std::erase_if(ports_, [&](const auto& known) {
        const bool wanted = std::ranges::any_of(routes, [&](const store::TcpRoute& route) {
            return route.listen == known.first && route.enabled == store::Enabled::yes;
        });
        if (!wanted) open_.remove("tcp", known.first);
        return !wanted;
    });
    for (const store::TcpRoute& route : routes) {
        if (route.enabled == store::Enabled::no) continue;
        const std::string before = ports_[route.listen].error;
        const auto bound = bind(route.listen);
        if (!bound && bound.error().detail != before)
            log_.error("relay.tcp_listen_failed", {{"listen", route.listen}, {"detail", bound.error().detail}});
    }
}

std::shared_ptr<const Descriptor> TcpRouteListeners::listener(const std::string& listen) const {
    const auto found = ports_.find(listen);
    return found == ports_.end() ? nullptr : found->second.listener;
}

TcpRouteListeners::Shown TcpRouteListeners::shown(const std::string& listen) const {
    const auto found = ports_.find(listen);
    if (found == ports_.end()) return {};
    return {found->second.listener ? found->second.address.text() : "", found->second.error};
}

TcpRoute served_form(const store::TcpRoute& stored, const store::Agent& agent) {
    TcpRoute route{.id = stored.id.text,
                   .listen = stored.listen,
                   .agent_id = agent.id.text,
                   .agent_name = agent.name,
                   .target = stored.target,
                   .tls = stored.tls,
                   .proxy_protocol = stored.proxy_protocol,
                   .allow = {}};
    for (const std::string& network : stored.allow)
        if (auto parsed = IpNetwork::parse(network)) route.allow.push_back(std::move(*parsed));
    return route;
}

}  // namespace sallyport::relay
