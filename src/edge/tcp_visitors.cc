#include "edge/tcp_visitors.h"

#include "net/socket.h"
#include "net/tcp_transport.h"

namespace sallyport {

TcpVisitors::~TcpVisitors() {
    closing_ = true;
    for (const auto& visitor : visitors_) visitor->cut("relay_stopped");
}

void TcpVisitors::take(const std::shared_ptr<const TcpRoute>& route, Descriptor connection, const SocketAddress& peer, Ssl tls) {
    TcpRouteCounters& counters = context_.metrics.tcp_route(route->id, route->listen);
    if (!route->allow.empty()) {
        const auto address = parse_ip_address(peer.ip());
        if (!address || !contains(route->allow, *address)) return counters.refused.add();
    }
    probe_while_idle(connection.get());
    auto& visitor = *visitors_.emplace_back(std::make_unique<TcpVisitor>(context_, route, counters, static_cast<TcpVisitor::Owner&>(*this)));
    visitor.place = visitors_.size() - 1;
    if (tls) visitor.start_tls(TlsTransport::make(context_.loop, std::move(connection), std::move(tls)));
    else visitor.start(make_plain_transport(context_.loop, std::move(connection)));
}

void TcpVisitors::cut_route(std::string_view route_id) {
    for (std::size_t i = visitors_.size(); i-- > 0;)  // each that goes is replaced by one looked at before
        if (visitors_[i]->route().id == route_id) visitors_[i]->cut("route_gone");
}

void TcpVisitors::on_tcp_visitor_over(TcpVisitor& visitor) {
    if (closing_) return;
    const std::size_t place = visitor.place;
    std::swap(visitors_[place], visitors_.back());
    visitors_[place]->place = place;
    context_.loop.dispose(std::move(visitors_.back()));
    visitors_.pop_back();
}

}  // namespace sallyport
