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
        if (!port.headers) port.headers = make_headers(port);
        const bool same_socket = port.acceptor && port.port.listener == wanted.listener;
        port.port = wanted;
        if (!same_socket) listen(port);
    }
}

// Ports stay where they are in the map, so what they own may refer to them.
std::unique_ptr<ProxyHeaderIntake> TcpPorts::make_headers(Port& port) {
    return std::make_unique<ProxyHeaderIntake>(
        context_.loop, context_.metrics, context_.settings.hello_deadline,
        [this, &port](Descriptor connection, std::string octets, const ProxyHeader& header, VisitorEntry entry) {
            if (host_.believe(header, entry)) begin(port, std::move(connection), std::move(octets), header, std::move(entry));
        });
}

void TcpPorts::listen(Port& port) {
    port.acceptor.reset();
    Descriptor listener(::fcntl(port.port.listener->get(), F_DUPFD_CLOEXEC, 0));
    if (!listener) return context_.metrics.accept_failures.add();  // tried again with the next change of routes
    port.acceptor = std::make_unique<Acceptor>(
        context_.loop, std::move(listener),
        [this, &port](Descriptor connection, const SocketAddress& peer) { take(port, std::move(connection), peer); },
        [this](const Error&) { context_.metrics.accept_failures.add(); });
}

void TcpPorts::take(Port& port, Descriptor connection, const SocketAddress& peer) {
    auto entry = host_.admit_to_tcp_port(peer, port.port.route->tls ? VisitorLimits::Kind::tls : VisitorLimits::Kind::plain);
    if (!entry) return;
    if (!entry->trust.visitor) return begin(port, std::move(connection), {}, {}, std::move(*entry));
    port.headers->set_deadline(context_.settings.hello_deadline);  // a reload may have changed it
    port.headers->take(std::move(connection), std::move(*entry));
}

void TcpPorts::begin(const Port& port, Descriptor connection, std::string octets, const ProxyHeader& header, VisitorEntry entry) {
    const TcpRoute& route = *port.port.route;
    TcpRouteCounters& counters = context_.metrics.tcp_route(route.id, route.listen);
    if (!route.allow.empty()) {
        const auto address = parse_ip_address((entry.named ? *entry.named : SocketAddress::peer_of(connection.get())).ip());
        if (!address || !contains(route.allow, *address)) return counters.refused.add();
    }
    if (route.tls && !tls_) return;
    if (!route.tls) entry.visit.end_handshake();  // the route has changed since it was admitted
    probe_while_idle(connection.get());
    auto& visitor = *visitors_.emplace_back(
        std::make_unique<TcpVisitor>(context_, port.port.route, counters, std::move(entry.visit), static_cast<TcpVisitor::Owner&>(*this)));
    visitor.place = visitors_.size() - 1;
    if (header.connection) visitor.name_destination(header.connection->destination);
    const auto named = [&](auto transport) {
        if (entry.named) transport->name_peer(*entry.named);
        return transport;
    };
    if (route.tls) visitor.start_tls(named(TlsTransport::make(context_.loop, std::move(connection), tls_->new_ssl(), std::move(octets))));
    else visitor.start(named(make_plain_transport(context_.loop, std::move(connection), std::move(octets))));
}

void TcpPorts::stop_listening() {
    for (auto& [id, port] : ports_) port.acceptor.reset();
}

void TcpPorts::close_unnamed() {
    for (auto& [id, port] : ports_) port.headers->close_all();
}

std::size_t TcpPorts::open_connections() const {
    std::size_t count = visitors_.size();
    for (const auto& [id, port] : ports_) count += port.headers->size();
    return count;
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
