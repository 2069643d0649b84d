#include "edge/edge.h"

#include <list>
#include <vector>

#include "edge/edge_context.h"
#include "edge/http1_connection.h"
#include "edge/http2_connection.h"
#include "edge/local_exchange.h"
#include "edge/proxy_exchange.h"
#include "edge/proxy_header_intake.h"
#include "edge/redirect_exchange.h"
#include "edge/tls_arrival.h"
#include "edge/visitor_intake.h"
#include "net/socket.h"
#include "net/tcp_transport.h"

namespace sallyport {

struct Edge::Impl final : EdgeContext::Owner, TcpPorts::Host {
    using Visit = VisitorLimits::Visit;

    Impl(Loop& loop, Origins& origins, TunnelDoor& door, Log& log, EdgeSettings settings, std::shared_ptr<VisitorLimits> shared_limits)
        : context(*this, loop, origins, door, log, std::move(settings)),
          limits(shared_limits ? std::move(shared_limits) : VisitorLimits::make({})),
          intake(loop, context.metrics, context.settings,
                 [this](Descriptor connection, std::string octets, const ClientHello& hello, VisitorEntry entry) {
                     sort_by_name(std::move(connection), std::move(octets), hello, std::move(entry));
                 }),
          https_headers(loop, context.metrics, context.settings.hello_deadline,
                        [this](Descriptor connection, std::string octets, const ProxyHeader& header, VisitorEntry entry) {
                            if (believe(header, entry)) intake.take(std::move(connection), std::move(octets), std::move(entry));
                        }),
          plain_headers(loop, context.metrics, context.settings.hello_deadline,
                        [this](Descriptor connection, std::string octets, const ProxyHeader& header, VisitorEntry entry) {
                            if (believe(header, entry)) begin_plain(std::move(connection), std::move(octets), std::move(entry));
                        }),
          redirect_headers(loop, context.metrics, context.settings.hello_deadline,
                           [this](Descriptor connection, std::string octets, const ProxyHeader& header, VisitorEntry entry) {
                               if (believe(header, entry)) begin_redirect(std::move(connection), std::move(octets), std::move(entry));
                           }),
          tcp_ports(context, *this) {}

    ~Impl() {
        acceptors.clear();
        closing = true;
        for (const auto& connection : connections) connection->cut();
    }

    // ---- Arrivals
    void listen(Descriptor listener, Acceptor::OnConnection on_connection, Acceptor::Spare spare = Acceptor::Spare::none) {
        acceptors.emplace_back(context.loop, std::move(listener), std::move(on_connection),
                               [this](const Error&) { context.metrics.accept_failures.add(); }, spare);
    }

    // Counts it, or says no: it is closed then, before anything is read.
    enum class From { visitor, proxy };
    std::optional<Visit> admit(const SocketAddress& peer, VisitorLimits::Kind kind, From from) {
        context.metrics.accepted.add();
        auto visit = from == From::proxy ? limits->admit_proxy(peer, kind, context.loop.now()) : limits->admit(peer, kind, context.loop.now());
        if (visit) return std::move(*visit);
        refused(HandshakeRefusal::overload);
        return std::nullopt;
    }

    void refused(HandshakeRefusal reason) { context.metrics.handshakes_refused[static_cast<std::size_t>(reason)].add(); }

    bool is_trusted_proxy(const SocketAddress& peer) const {
        if (context.settings.trusted_proxies.empty()) return false;
        const auto address = parse_ip_address(peer.ip());
        return address && contains(context.settings.trusted_proxies, *address);
    }

    void arrive_at_https(Descriptor connection, const SocketAddress& peer) {
        const bool proxy = context.settings.proxies_on_https && is_trusted_proxy(peer);
        auto visit = admit(peer, VisitorLimits::Kind::tls, proxy ? From::proxy : From::visitor);
        if (!visit) return;
        VisitorEntry entry{.visit = std::move(*visit), .trust = {.visitor = proxy, .scheme = proxy}};
        if (proxy && context.settings.proxy_header_on_https) return https_headers.take(std::move(connection), std::move(entry));
        intake.take(std::move(connection), {}, std::move(entry));
    }

    void arrive_at_plain(Descriptor connection, const SocketAddress& peer) {
        if (!is_trusted_proxy(peer)) {
            context.metrics.accepted.add();
            return refused(HandshakeRefusal::untrusted_proxy);
        }
        auto visit = admit(peer, VisitorLimits::Kind::plain, From::proxy);
        if (!visit) return;
        VisitorEntry entry{.visit = std::move(*visit), .trust = {.visitor = true, .scheme = true, .unsaid = Scheme::http}};
        if (context.settings.proxy_header_on_plain) return plain_headers.take(std::move(connection), std::move(entry));
        begin_plain(std::move(connection), {}, std::move(entry));
    }

    void arrive_at_redirect(Descriptor connection, const SocketAddress& peer) {
        const bool proxy = context.settings.proxy_header_on_http && is_trusted_proxy(peer);
        auto visit = admit(peer, VisitorLimits::Kind::plain, proxy ? From::proxy : From::visitor);
        if (!visit) return;
        VisitorEntry entry{.visit = std::move(*visit), .trust = {.visitor = proxy}};
        if (proxy) return redirect_headers.take(std::move(connection), std::move(entry));
        begin_redirect(std::move(connection), {}, std::move(entry));
    }

    // There is no agent to expect there, so nothing of the reserve is for it.
    std::optional<VisitorEntry> admit_to_tcp_port(const SocketAddress& peer, VisitorLimits::Kind kind) override {
        const bool proxy = context.settings.proxy_header_on_tcp && is_trusted_proxy(peer);
        auto visit = admit(peer, kind, proxy ? From::proxy : From::visitor);
        if (!visit || visit->in_reserve()) return std::nullopt;
        return VisitorEntry{.visit = std::move(*visit), .trust = {.visitor = proxy}};
    }

    // From here on the connection is its source's, whose own fields are believed only if it is a trusted proxy itself.
    bool believe(const ProxyHeader& header, VisitorEntry& entry) override {
        if (!header.connection) return true;
        const ProxyEndpoint& source = header.connection->source;
        const auto address = SocketAddress::parse(source.ip, source.port);
        if (!address) {
            refused(HandshakeRefusal::proxy_header);
            return false;
        }
        entry.named = *address;
        entry.trust.visitor = is_trusted_proxy(*address);
        if (entry.trust.visitor || entry.visit.name(*address, context.loop.now())) return true;
        refused(HandshakeRefusal::overload);
        return false;
    }

    void begin_plain(Descriptor descriptor, std::string octets, VisitorEntry entry) {
        begin_in_the_clear<ProxyExchange>(std::move(descriptor), std::move(octets), std::move(entry));
    }
    void begin_redirect(Descriptor descriptor, std::string octets, VisitorEntry entry) {
        begin_in_the_clear<RedirectExchange>(std::move(descriptor), std::move(octets), std::move(entry));
    }

    template <class Served>
    void begin_in_the_clear(Descriptor descriptor, std::string octets, VisitorEntry entry) {
        if (context.hurried) return;
        auto transport = make_plain_transport(context.loop, std::move(descriptor), std::move(octets));
        if (entry.named) transport->name_peer(*entry.named);
        auto& connection = add<Http1Connection>(std::move(entry), context, std::move(transport));
        connection.start(std::make_unique<Served>(context, connection));
    }

    void sort_by_name(Descriptor connection, std::string octets, const ClientHello& hello, VisitorEntry entry) {
        const std::string_view agent = context.routes->agent_for_server_name(hello.server_name);
        Edge* home = agent.empty() || !choose_edge ? nullptr : choose_edge(agent);
        if (!home || home->impl_.get() == this)
            return begin_tls(std::move(connection), std::move(octets), hello.server_name, std::move(entry));
        context.metrics.handed_over.add();
        home->loop().post([home, connection = std::move(connection), octets = std::move(octets), name = hello.server_name,
                           entry = std::move(entry)]() mutable {
            home->impl_->begin_tls(std::move(connection), std::move(octets), std::move(name), std::move(entry));
        });
    }

    void begin_tls(Descriptor descriptor, std::string octets, std::string server_name, VisitorEntry entry) {
        if (!tls || context.hurried) return;
        auto transport = TlsTransport::make(context.loop, std::move(descriptor), tls->new_ssl(), std::move(octets));
        if (entry.named) transport->name_peer(*entry.named);
        auto& arrival = add<TlsArrival>(std::move(entry), context, std::move(transport), std::move(server_name),
                                        [this](std::unique_ptr<TlsTransport> arrived, std::string name, VisitorEntry arrived_as) {
                                            begin_http(std::move(arrived), std::move(name), std::move(arrived_as));
                                        });
        arrival.start();
    }

    void begin_http(std::unique_ptr<TlsTransport> transport, std::string server_name, VisitorEntry entry) {
        TlsTransport& held = *transport;
        if (transport->alpn() == "h2") {
            auto& connection = add<Http2Connection>(std::move(entry), context, std::move(transport), make_proxy);
            connection.start(&held, std::move(server_name));
            if (context.draining) connection.drain_gently();
            return;
        }
        auto& connection = add<Http1Connection>(std::move(entry), context, std::move(transport));
        connection.start(std::make_unique<ProxyExchange>(context, connection), &held, std::move(server_name));
    }

    static std::unique_ptr<Exchange> make_proxy(EdgeContext& context, VisitorRequest& visitor) {
        return std::make_unique<ProxyExchange>(context, visitor);
    }

    template <class Connection, class... Arguments>
    Connection& add(VisitorEntry entry, Arguments&&... arguments) {
        auto made = std::make_unique<Connection>(std::forward<Arguments>(arguments)...);
        Connection& connection = *made;
        connection.visit = std::move(entry.visit);
        connection.trust = entry.trust;
        connection.place = connections.size();
        connections.push_back(std::move(made));
        return connection;
    }

    void on_connection_over(VisitorConnection& connection) override {
        if (closing) return;
        const std::size_t place = connection.place;
        std::swap(connections[place], connections.back());
        connections[place]->place = place;
        context.loop.dispose(std::move(connections.back()));
        connections.pop_back();
        for (Acceptor& acceptor : acceptors) acceptor.try_again();
        tcp_ports.try_again();
    }

    EdgeContext context;
    const std::shared_ptr<VisitorLimits> limits;
    std::shared_ptr<const ServerTls> tls;
    ChooseEdge choose_edge;
    VisitorIntake intake;
    ProxyHeaderIntake https_headers;
    ProxyHeaderIntake plain_headers;
    ProxyHeaderIntake redirect_headers;
    std::list<Acceptor> acceptors;  // they stay where they are
    TcpPorts tcp_ports;
    std::vector<std::unique_ptr<VisitorConnection>> connections;
    bool closing = false;
};

Edge::Edge(Loop& loop, Origins& origins, TunnelDoor& door, Log& log, EdgeSettings settings, std::shared_ptr<VisitorLimits> limits)
    : impl_(std::make_unique<Impl>(loop, origins, door, log, std::move(settings), std::move(limits))) {
    set_routes(std::make_shared<const RouteTable>());
}

Edge::~Edge() = default;

void Edge::set_routes(std::shared_ptr<const RouteTable> routes) {
    impl_->context.routes = std::move(routes);
}

void Edge::set_server_tls(std::shared_ptr<const ServerTls> tls) {
    impl_->tcp_ports.set_server_tls(tls);
    impl_->tls = std::move(tls);
}

void Edge::set_tcp_ports(const std::vector<TcpPort>& ports) {
    if (!impl_->context.draining) impl_->tcp_ports.set(ports);
}

void Edge::set_settings(EdgeSettings settings) {
    impl_->context.access_log.enable(settings.access_log);
    impl_->https_headers.set_deadline(settings.hello_deadline);
    impl_->plain_headers.set_deadline(settings.hello_deadline);
    impl_->redirect_headers.set_deadline(settings.hello_deadline);
    impl_->context.settings = std::move(settings);
}

void Edge::set_password_checker(PasswordChecker& passwords) { impl_->context.passwords = &passwords; }

void Edge::set_ban_shield(BanShield& shield) { impl_->context.shield = &shield; }

void Edge::set_doctor_tickets(DoctorTickets& tickets) { impl_->context.tickets = &tickets; }

void Edge::listen_https(Descriptor listener, ChooseEdge choose_edge) {
    impl_->choose_edge = std::move(choose_edge);
    impl_->listen(std::move(listener), [impl = impl_.get()](Descriptor connection, const SocketAddress& peer) {
        impl->arrive_at_https(std::move(connection), peer);
    });
}

void Edge::listen_plain(Descriptor listener) {
    impl_->listen(std::move(listener), [impl = impl_.get()](Descriptor connection, const SocketAddress& peer) {
        impl->arrive_at_plain(std::move(connection), peer);
    });
}

void Edge::listen_redirect(Descriptor listener) {
    impl_->listen(std::move(listener), [impl = impl_.get()](Descriptor connection, const SocketAddress& peer) {
        impl->arrive_at_redirect(std::move(connection), peer);
    });
}

// With a descriptor to spare, so that the relay's own people get in when visitors have used up all others.
void Edge::listen_local(Descriptor listener, LocalHandler& handler) {
    impl_->listen(
        std::move(listener),
        [impl = impl_.get(), &handler](Descriptor descriptor, const SocketAddress&) {
            impl->context.metrics.accepted.add();
            auto& connection = impl->add<Http1Connection>(
                VisitorEntry{}, impl->context, make_plain_transport(impl->context.loop, std::move(descriptor)));
            connection.start(std::make_unique<LocalExchange>(impl->context, connection, handler));
        },
        Acceptor::Spare::one);
}

void Edge::drain(Drain how) {
    impl_->context.draining = true;
    impl_->acceptors.clear();
    impl_->tcp_ports.stop_listening();
    if (how == Drain::gently) {
        for (const auto& connection : impl_->connections) connection->drain_gently();
        return;
    }
    impl_->context.hurried = true;
    impl_->https_headers.close_all();
    impl_->plain_headers.close_all();
    impl_->redirect_headers.close_all();
    impl_->tcp_ports.close_unnamed();
    impl_->intake.close_all();
    for (std::size_t i = impl_->connections.size(); i-- > 0;) impl_->connections[i]->drain();
}

std::size_t Edge::open_connections() const {
    return impl_->connections.size() + impl_->intake.size() + impl_->https_headers.size() + impl_->plain_headers.size() +
           impl_->redirect_headers.size() + impl_->tcp_ports.open_connections();
}
const EdgeMetrics& Edge::metrics() const { return impl_->context.metrics; }
Loop& Edge::loop() { return impl_->context.loop; }

}  // namespace sallyport
