#include "edge/tcp_ports.h"

#include <fcntl.h>

#include <algorithm>

#include "net/tcp_transport.h"

namespace sallyport {

TcpPorts::~TcpPorts() {
    closing_ = true;
    for (const auto& visitor : visitors_) visitor->cut("relay_stopped");
}

void TcpPorts::set(const std::vector<TcpPort>& ports) {
    std::erase_if(ports_, [&](const auto& known) {
        const auto kept = std::ranges::find(ports, known.first, [](const TcpPort& port) -> const std::string& { return port.route->id; });
        if (kept != ports.end()) return false;
        cut_route(known.first);
        return true;
    });
    for (const TcpPort& wanted : ports) {
        Port& port = ports_[wanted.route->id];
        const bool same_socket = port.acceptor && port.port.listener == wanted.listener;
        port.port = wanted;
        if (!same_socket) listen(port);
    }
}

// Ports stay where they are in the map, so the acceptor may refer to its own.
void TcpPorts::listen(Port& port) {
    port.acceptor.reset();
    Descriptor listener(::fcntl(port.port.listener->get(), F_DUPFD_CLOEXEC, 0));
    if (!listener) return context_.metrics.accept_failures.add();  // tried again with the next change of routes
    port.acceptor = std::make_unique<Acceptor>(
        context_.loop, std::move(listener),
        [this, &port](Descriptor connection, const SocketAddress& peer) { take(port, std::move(connection), peer); },
        [this](const Error&) { context_.metrics.accept_failures.add(); });
}

void TcpPorts::take(const Port& port, Descriptor connection, const SocketAddress& peer) {
    const TcpRoute& route = *port.port.route;
    auto visit = admit_(peer, route.tls ? VisitorLimits::Kind::tls : VisitorLimits::Kind::plain);
    if (!visit || visit->in_reserve()) return;
    TcpRouteCounters& counters = context_.metrics.tcp_route(route.id, route.listen);
    if (!route.allow.empty()) {
        const auto address = parse_ip_address(peer.ip());
        if (!address || !contains(route.allow, *address)) return counters.refused.add();
    }
    if (route.tls && !tls_) return;
    probe_while_idle(connection.get());
    auto& visitor = *visitors_.emplace_back(
        std::make_unique<TcpVisitor>(context_, port.port.route, counters, std::move(*visit), static_cast<TcpVisitor::Owner&>(*this)));
    visitor.place = visitors_.size() - 1;
    if (route.tls) visitor.start_tls(TlsTransport::make(context_.loop, std::move(connection), tls_->new_ssl()));
    else visitor.start(make_plain_transport(context_.loop, std::move(connection)));
}

void TcpPorts::stop_listening() {
    for (auto& [id, port] : ports_) port.acceptor.reset();
}

void TcpPorts::try_again() {
    for (auto& [id, port] : ports_)
        if (port.acceptor) port.acceptor->try_again();
}

void TcpPorts::cut_route(std::string_view route_id) {
    for (std::size_t i = visitors_.size(); i-- > 0;)  // whoever steps into a place has been looked at
        if (visitors_[i]->route().id == route_id) visitors_[i]->cut("route_gone");
}

void TcpPorts::on_tcp_visitor_over(TcpVisitor& visitor) {
    if (closing_) return;
    const std::size_t place = visitor.place;
    std::swap(visitors_[place], visitors_.back());
    visitors_[place]->place = place;
    context_.loop.dispose(std::move(visitors_.back()));
    visitors_.pop_back();
    try_again();
}

}  // namespace sallyport
