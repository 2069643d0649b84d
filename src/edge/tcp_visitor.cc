#include "edge/tcp_visitor.h"

#include "net/buffer_budget.h"
#include "wire/forwarded.h"

namespace sallyport {
namespace {

ProxyEndpoint endpoint_of(const SocketAddress& address) { return {address.ip(), address.port()}; }

}  // namespace

TcpVisitor::TcpVisitor(EdgeContext& context, std::shared_ptr<const TcpRoute> route, TcpRouteCounters& counters, Visit visit, Owner& owner)
    : context_(context),
      route_(std::move(route)),
      counters_(counters),
      visit_(std::move(visit)),
      owner_(owner),
      handshake_deadline_(context.loop, [this] { fail(Hop::visitor, "tls_timeout"); }),
      pump_(context.loop, *this) {
    counters_.connections.add();
    counters_.open.add();
    pump_.count_into(counters_.octets_in, counters_.octets_out);
}

TcpVisitor::~TcpVisitor() { counters_.open.subtract(); }

void TcpVisitor::start(TransportPtr connection) {
    peer_ = connection->peer_address();
    if (!destination_) destination_ = endpoint_of(connection->local_address());
    connection_ = std::move(connection);
    find_agent();
}

void TcpVisitor::start_tls(std::unique_ptr<TlsTransport> connection) {
    peer_ = connection->peer_address();
    if (!destination_) destination_ = endpoint_of(connection->local_address());
    handshake_deadline_.start(context_.settings.handshake_deadline);
    connection->on_handshake([this](const Result<>& done) {
        handshake_deadline_.cancel();
        if (!done) return fail(Hop::visitor, "tls_failed", done.error().detail);
        visit_.end_handshake();
        find_agent();
    });
    connection_ = std::move(connection);
}

void TcpVisitor::find_agent() {
    const auto agent = context_.origins.agent(route_->agent_id);
    if (agent && !agent->lost) return open_stream();
    wait_ = context_.origins.wait_online(route_->agent_id, context_.settings.offline_grace, [this](bool online) {
        wait_.reset();
        if (online) open_stream();
        else fail(problem::kAgentOffline);
    });
}

void TcpVisitor::open_stream() {
    if (BufferBudget::refuses_new()) return fail(problem::kRelayFull);
    const OpenRequest request{.target = route_->target,
                              .forwarded = format_forwarded({.for_address = peer_.ip(), .for_port = peer_.port(), .proto = "", .host = ""}),
                              .route = route_->id};
    auto stream = context_.origins.open(route_->agent_id, request, pump_.stream_owner());
    if (!stream) return fail(stream.error().code == Errc::no_space ? problem::kTooManyStreams : problem::kAgentOffline, stream.error().detail);
    pump_.take(std::move(*stream));
    if (route_->proxy_protocol) pump_.send_first(as_octets(format_proxy_header({endpoint_of(peer_), *destination_})));
    pump_.connect(std::move(connection_));
}

void TcpVisitor::on_pump_refused(const Refusal& refusal) { fail(problem_of_refusal(refusal), refusal.details); }

void TcpVisitor::fail(Hop hop, std::string_view cause, std::string_view detail) {
    if (over_) return;
    cause_ = cause;
    const LogLevel level = hop == Hop::visitor ? LogLevel::debug : LogLevel::info;
    if (context_.log.enabled(level) && context_.error_lines.admit())
        context_.log.write(level, "edge.tcp_error",
                           {{"listen", route_->listen},
                            {"agent", route_->agent_name},
                            {"hop", name_of(hop)},
                            {"cause", cause},
                            {"visitor", peer_.ip()},
                            {"detail", detail}});
    counters_.failed.add();
    if (connection_) connection_->abort();
    pump_.cut();
    finish();
}

void TcpVisitor::finish() {
    if (std::exchange(over_, true)) return;
    wait_.reset();
    handshake_deadline_.cancel();
    context_.access_log.note_tcp({.listen = route_->listen,
                                  .octets_in = pump_.octets_to_stream(),
                                  .octets_out = pump_.octets_from_stream(),
                                  .took = Clock::now() - began_,
                                  .cause = cause_});
    owner_.on_tcp_visitor_over(*this);
}

}  // namespace sallyport
