#include "gateway/remote_link.h"

#include <algorithm>
#include <utility>

#include "net/socket.h"

namespace sallyport::gateway {

std::string_view RemoteFailure::for_user() const {
    if (was_ready) return "the connection to the remote host was lost";
    switch (reason) {
        case RefusalReason::remote_refused: return "the remote host did not let you in";
        case RefusalReason::remote_host_key: return "the remote host shows a key that is not known for it; tell the gateway's operator";
        case RefusalReason::no_agent: return "the gateway needs your agent to log in to the remote host: connect with ssh -A";
        default: return "the remote host cannot be reached";
    }
}

struct RemoteLink::Line final : ssh::ClientConnection::Owner {
    explicit Line(RemoteLink& of) : link(&of) {}
    void on_host_key(const SshPublicKey& key) override {
        if (link) link->judge_host(key);
    }
    void on_login_refused(const ssh::LoginRefusal&) override {
        if (link) link->note_refusal();
    }
    void on_authenticated() override {
        if (link) link->note_login();
    }
    void on_channel_requested(std::unique_ptr<ssh::IncomingChannel> channel) override {
        if (link && link->receiver_) link->receiver_->on_link_channel(std::move(channel));
        else channel->refuse();
    }
    void on_connection_closed(const Error& reason) override {
        if (link) link->note_closed(reason);
    }
    RemoteLink* link;  // null: it is gone
    std::unique_ptr<ssh::ClientConnection> connection;
};

RemoteLink::RemoteLink(const RemoteSite& site, std::string user, std::vector<RemoteCredential> credentials)
    : site_(site), user_(std::move(user)), credentials_(std::move(credentials)), made_at_(site.loop.now()) {
    connector_ = std::make_unique<Connector>(site_.loop, site_.workers, site_.host, site_.port,
                                             Connector::Limits{.resolve = site_.connect_timeout, .connect = site_.connect_timeout},
                                             [this](Result<Descriptor> connected) { take_connected(std::move(connected)); });
}

RemoteLink::~RemoteLink() {
    if (line_) line_->link = nullptr;
    site_.loop.dispose(std::move(line_));
    site_.loop.dispose(std::move(agent_));
    site_.loop.dispose(std::move(connector_));
}

ssh::ClientConnection& RemoteLink::connection() { return *line_->connection; }

void RemoteLink::add(Waiter& waiter) { waiters_.push_back(&waiter); }

void RemoteLink::remove(Waiter& waiter) { std::erase(waiters_, &waiter); }

// A waiter may remove itself or others, and let go of the link, when it is told.
template <class Tell>
void RemoteLink::tell_all(Tell&& tell) {
    const auto self = weak_from_this().lock();
    const std::vector<Waiter*> told = waiters_;
    for (Waiter* const waiter : told)
        if (std::ranges::find(waiters_, waiter) != waiters_.end()) tell(*waiter);
}

void RemoteLink::take_connected(Result<Descriptor> connected) {
    if (!connected) return fail(RefusalReason::remote_unreachable, connected.error().detail);
    tune_connection(connected->get());
    ssh::ClientSettings settings;
    settings.login_grace = site_.connect_timeout;
    settings.keepalive_interval = site_.keepalive_interval;
    settings.user = user_;
    settings.known_key_types = site_.host_keys.known_types();
    line_ = std::make_unique<Line>(*this);
    auto made = ssh::ClientConnection::make(site_.loop, std::move(*connected), settings, *line_);
    if (!made) return fail(RefusalReason::remote_unreachable, made.error().detail);
    line_->connection = std::move(*made);
    state_ = State::logging_in;
}

void RemoteLink::judge_host(const SshPublicKey& key) {
    if (const auto known = site_.host_keys.judge(key); !known) {
        site_.log.error("gateway.remote_key_refused", {{"reason", known.error().detail}});
        return fail(RefusalReason::remote_host_key, known.error().detail);
    }
    line_->connection->trust_host();
    try_next();
}

void RemoteLink::try_next() {
    if (next_credential_ == credentials_.size()) return fail(RefusalReason::remote_refused, "no credential was taken");
    RemoteCredential& credential = credentials_[next_credential_++];
    if (const auto* const key = std::get_if<ssh::PrivateKey>(&credential)) return line_->connection->log_in_with_key(*key);
    if (const auto* const password = std::get_if<Secret>(&credential)) return line_->connection->log_in_with_password(*password);
    agent_ = std::move(std::get<std::unique_ptr<ssh::AgentSocket>>(credential));
    line_->connection->log_in_with_agent(agent_->take_end());
}

void RemoteLink::note_refusal() {
    site_.loop.dispose(std::move(agent_));
    try_next();
}

void RemoteLink::note_login() {
    state_ = State::ready;
    site_.loop.dispose(std::move(agent_));
    credentials_.clear();
    tell_all([this](Waiter& waiter) { waiter.on_link_ready(*this); });
}

void RemoteLink::note_closed(const Error& reason) {
    fail(RefusalReason::remote_unreachable, reason.detail.empty() ? std::string(name_of(reason.code)) : reason.detail);
}

void RemoteLink::fail(RefusalReason reason, std::string detail) {
    if (state_ == State::over) return;
    failure_ = {reason, std::move(detail), state_ == State::ready};
    state_ = State::over;
    if (line_ && line_->connection) line_->connection->close({Errc::refused, failure_.detail});
    site_.loop.dispose(std::move(agent_));
    tell_all([this](Waiter& waiter) { waiter.on_link_over(*this, failure_); });
}

}  // namespace sallyport::gateway
