#include "agent/origin_dialler.h"

#include "agent/proxy_refusal.h"
#include "net/socket.h"
#include "net/tcp_transport.h"

namespace sallyport {

OriginDialler::OriginDialler(Loop& loop, Workers& workers, OriginTrust& trust, Target target, OriginLimits limits,
                             Done done)
    : loop_(loop),
      workers_(workers),
      trust_(trust),
      target_(std::move(target)),
      limits_(limits),
      done_(std::move(done)),
      deadline_(loop, [this] {
          if (tls_) tls_->abort();
          finish(std::unexpected(make_refusal(ProxyError::connection_timeout, "the TLS handshake took too long")));
      }) {
    if (target_.is_tls()) judges_ = trust_.judges_of(target_);
    connect();
}

OriginDialler::~OriginDialler() = default;

void OriginDialler::connect() {
    loop_.dispose(std::move(connector_));
    loop_.dispose(std::move(tls_));
    connector_ = std::make_unique<Connector>(
        loop_, workers_, target_.url.host, target_.url.port, Connector::Limits{limits_.resolve, limits_.connect},
        [this](Result<Descriptor> connected) { on_connected(std::move(connected)); });
}

void OriginDialler::on_connected(Result<Descriptor> connected) {
    if (!connected) return finish(std::unexpected(refusal_of(connected.error())));
    tune_connection(connected->get());
    if (!target_.is_tls()) return finish(make_plain_transport(loop_, std::move(*connected)));
    auto client = trust_.client(target_, judges_[judge_]);
    if (!client)
        return finish(std::unexpected(make_refusal(ProxyError::proxy_configuration_error, client.error().detail)));
    deadline_.start(limits_.tls);
    tls_ = TlsTransport::make(loop_, std::move(*connected), (*client)->new_ssl());
    tls_->on_handshake([this](Result<> shaken) { on_handshake(std::move(shaken)); });
}

void OriginDialler::on_handshake(Result<> shaken) {
    deadline_.cancel();
    if (shaken) {
        trust_.note(target_, judges_[judge_], tls_->peer_pin());
        return finish(std::move(tls_));
    }
    if (shaken.error().code == Errc::tls) return try_next_judge(shaken.error());
    finish(std::unexpected(refusal_of(shaken.error())));
}

void OriginDialler::try_next_judge(const Error& why) {
    const bool any_key_would_do = judges_[judge_] == Judge::first_use;
    if (++judge_ < judges_.size()) return connect();
    if (any_key_would_do) return finish(std::unexpected(make_refusal(ProxyError::tls_protocol_error, why.detail)));
    if (!reread_ && trust_.reread(target_)) {
        reread_ = true;
        judges_ = trust_.judges_of(target_);
        judge_ = 0;
        return connect();
    }
    const std::string cure =
        target_.trust == KeyTrust::first_use
            ? "its key has changed and no CA vouches for the new one; if that is right: sallyport agent trust " +
                  target_.name
            : "its key is not the trusted one: see trust of services." + target_.name;
    finish(std::unexpected(make_refusal(ProxyError::tls_certificate_error, cure)));
}

void OriginDialler::finish(std::expected<TransportPtr, Refusal> result) {
    deadline_.cancel();
    loop_.dispose(std::move(connector_));
    loop_.dispose(std::move(tls_));
    if (auto done = std::exchange(done_, nullptr)) done(std::move(result));
}

}  // namespace sallyport
