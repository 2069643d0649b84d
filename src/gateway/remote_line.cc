#include "gateway/remote_line.h"

#include <utility>

#include "net/socket.h"

namespace sallyport::gateway {

RemoteLine::RemoteLine(const RemoteSite& site, const std::string& user, std::vector<RemoteCredential>& credentials, std::chrono::milliseconds limit, Owner& owner)
    : site_(site), user_(user), credentials_(credentials), began_at_(site.loop.now()), limit_(limit), owner_(&owner) {
    connector_ = std::make_unique<Connector>(site_.loop, site_.workers, site_.host, site_.port, Connector::Limits{.resolve = limit_, .connect = limit_},
                                             [this](Result<Descriptor> connected) { take_connected(std::move(connected)); });
}

RemoteLine::~RemoteLine() = default;

void RemoteLine::leave() {
    owner_ = nullptr;
    site_.loop.dispose(std::move(connector_));
    site_.loop.dispose(std::move(agent_));
    close({Errc::refused, "not needed"});
}

void RemoteLine::close(const Error& reason) {
    if (connection_) connection_->close(reason);
}

void RemoteLine::take_connected(Result<Descriptor> connected) {
    if (!owner_) return;
    if (!connected) return fail(RefusalReason::remote_unreachable, connected.error().detail);
    tune_connection(connected->get());
    ssh::ClientSettings settings;
    settings.login_grace = limit_;
    settings.keepalive_interval = site_.keepalive_interval;
    settings.user = user_;
    settings.known_key_types = site_.host_keys.known_types();
    auto made = ssh::ClientConnection::make(site_.loop, std::move(*connected), settings, *this);
    if (!made) return fail(RefusalReason::remote_unreachable, made.error().detail);
    connection_ = std::move(*made);
}

void RemoteLine::on_host_key(const SshPublicKey& key) {
    if (!owner_) return;
    if (const auto known = site_.host_keys.judge(key); !known) {
        site_.log.error("gateway.remote_key_refused", {{"reason", known.error().detail}});
        return fail(RefusalReason::remote_host_key, known.error().detail);
    }
    connection_->trust_host();
    try_next();
}

void RemoteLine::try_next() {
    if (next_credential_ == credentials_.size()) return fail(RefusalReason::remote_refused, "no credential was taken");
    RemoteCredential& credential = credentials_[next_credential_++];
    if (const auto* const key = std::get_if<ssh::PrivateKey>(&credential)) return connection_->log_in_with_key(*key);
    if (const auto* const password = std::get_if<Secret>(&credential)) return connection_->log_in_with_password(*password);
    agent_ = std::move(std::get<std::unique_ptr<ssh::AgentSocket>>(credential));
    connection_->log_in_with_agent(agent_->take_end());
}

void RemoteLine::on_login_refused(const ssh::LoginRefusal&) {
    if (!owner_) return;
    site_.loop.dispose(std::move(agent_));
    try_next();
}

void RemoteLine::on_authenticated() {
    site_.loop.dispose(std::move(agent_));
    if (owner_) owner_->on_line_ready(*this);
}

void RemoteLine::on_channel_requested(std::unique_ptr<ssh::IncomingChannel> channel) {
    if (owner_) owner_->on_line_channel(std::move(channel));
    else channel->refuse();
}

void RemoteLine::on_connection_closed(const Error& reason) {
    fail(RefusalReason::remote_unreachable, reason.detail.empty() ? std::string(name_of(reason.code)) : reason.detail);
}

void RemoteLine::fail(RefusalReason reason, std::string detail) {
    site_.loop.dispose(std::move(agent_));
    close({Errc::refused, detail});
    if (Owner* const owner = std::exchange(owner_, nullptr)) owner->on_line_over(*this, reason, std::move(detail));
}

}  // namespace sallyport::gateway
