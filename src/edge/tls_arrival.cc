#include "edge/tls_arrival.h"

namespace sallyport {

TlsArrival::TlsArrival(EdgeContext& context, std::unique_ptr<TlsTransport> transport, std::string server_name, OnArrived on_arrived)
    : context_(context),
      transport_(std::move(transport)),
      server_name_(std::move(server_name)),
      on_arrived_(std::move(on_arrived)),
      deadline_(context.loop, [this] { on_deadline(); }) {}

void TlsArrival::start() {
    context_.metrics.open_connections.add();
    deadline_.start(context_.settings.handshake_deadline);
    transport_->on_handshake([this](const Result<>& done) { on_handshake(done); });
}

void TlsArrival::cut() {
    if (over_) return;
    transport_->abort();
    over();
}

void TlsArrival::on_handshake(const Result<>& done) {
    if (over_) return;
    if (!done) {
        context_.metrics.handshakes_refused[static_cast<std::size_t>(HandshakeRefusal::tls_failed)].add();
        return give_up();
    }
    auto transport = std::move(transport_);
    VisitorEntry entry{.visit = std::move(visit), .trust = trust};
    entry.visit.end_handshake();
    over();
    on_arrived_(std::move(transport), std::move(server_name_), std::move(entry));
}

void TlsArrival::on_deadline() {
    context_.metrics.handshakes_refused[static_cast<std::size_t>(HandshakeRefusal::timeout)].add();
    give_up();
}

void TlsArrival::give_up() {
    if (over_) return;
    transport_->close();
    over();
}

void TlsArrival::over() {
    over_ = true;
    deadline_.cancel();
    context_.metrics.open_connections.subtract();
    context_.owner.on_connection_over(*this);
}

}  // namespace sallyport
