#include "gateway/user_connection.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/random.h"
#include "gateway/login_keys.h"
#include "gateway/stream_bridge.h"
#include "gateway/user_session.h"

namespace sallyport::gateway {
namespace {

constexpr std::chrono::seconds kFarewell{1};

std::string one_line(std::string_view text) {
    std::string out{text.substr(0, 200)};
    std::ranges::replace_if(out, [](char c) { return static_cast<unsigned char>(c) < 0x20 || static_cast<unsigned char>(c) > 0x7e; }, '?');
    return out;
}

}  // namespace

// A forward that waits for the link, and then for the remote's answer. Where the client leaves the port to the server we choose it
// ourselves: libssh may read the one that the remote tells from another message that came right behind it.
class UserConnection::ForwardWish final : public LinkUser {
public:
    ForwardWish(UserConnection& connection, ssh::ForwardRequest asked) : connection_(connection), asked_(std::move(asked)) {}
    ~ForwardWish() { connection_.forget(*this); }

private:
    static constexpr unsigned kMostTries = 20;
    static std::uint16_t some_port() {
        std::array<std::byte, 2> octets;
        fill_random(octets);
        return static_cast<std::uint16_t>(32'768 + ((std::to_integer<unsigned>(octets[0]) << 8 | std::to_integer<unsigned>(octets[1])) % 28'000));
    }
    void on_link(RemoteLink& link) override { ask(link); }
    void on_no_link(const RemoteFailure&) override { connection_.answer_forward(asked_, fail(Errc::unreachable)); }
    void ask(RemoteLink& link) {
        const std::uint16_t port = asked_.port != 0 ? asked_.port : some_port();
        link.connection().request_forward(asked_.address, port, [this, &link, alive = std::weak_ptr(alive_)](Result<std::uint16_t> granted) {
            if (!alive.lock()) return;
            const bool again = !granted && granted.error().code == Errc::refused && asked_.port == 0 && ++tries_ < kMostTries;
            if (again && link.ready()) ask(link);
            else connection_.answer_forward(asked_, std::move(granted));
        });
    }
    UserConnection& connection_;
    const ssh::ForwardRequest asked_;
    unsigned tries_ = 0;
    std::shared_ptr<int> alive_ = std::make_shared<int>();
};

UserConnection::UserConnection(Parts& parts, std::string ip, Admission::Place place, OnOver on_over)
    : parts_(parts),
      on_over_(std::move(on_over)),
      place_(std::move(place)),
      began_at_(parts.loop.now()),
      touched_at_(parts.loop.now()),
      idle_(parts.loop, [this] { check_idle(); }),
      useless_(parts.loop, [this] { look_whether_useless(); }),
      proof_(parts.loop, [this] { turn_away(RefusalReason::grace_over, "the remote host has not let you in: connect with ssh -A"); }) {
    login_.ip = std::move(ip);
}

Result<std::unique_ptr<UserConnection>> UserConnection::make(Parts& parts, const ssh::ServerHost& host, Descriptor accepted, std::string ip, Admission::Place place,
                                                             OnOver on_over) {
    std::unique_ptr<UserConnection> made(new UserConnection(parts, std::move(ip), std::move(place), std::move(on_over)));
    auto connection = ssh::ServerConnection::make(parts.loop, host, std::move(accepted), *made);
    if (!connection) return std::unexpected(connection.error());
    made->connection_ = std::move(*connection);
    return made;
}

UserConnection::~UserConnection() {
    forward_wish_.reset();
    channels_.clear();
    for (const RemoteLinkPtr& link : other_links_) link->unset_receiver(*this);
    if (!link_) return;
    link_->remove(*this);
    link_->unset_receiver(*this);
}

// ---------------------------------------------------------------- who he is

void UserConnection::on_login_request(const ssh::LoginRequest& request) {
    if (!is_gateway_user(request.user)) return turn_away(RefusalReason::bad_user_name, "no user can have this name here");
    if (login_.user.empty()) login_.user = request.user;
    if (login_.user != request.user) return turn_away(RefusalReason::bad_user_name, "the user name was changed");
    switch (request.method) {
        case ssh::LoginRequest::Method::none:
            return connection_->reject_login({.public_key = true, .password = parts_.config.password_auth});
        case ssh::LoginRequest::Method::password: return judge_password(request.password);
        case ssh::LoginRequest::Method::public_key: return judge_key({request.key, request.proven});
    }
}

void UserConnection::judge_password(const Secret& password) {
    if (!parts_.config.password_auth) return reject(RefusalReason::bad_password, "passwords are not allowed");
    password_question_ = parts_.passwords.ask(login_.user, password, [this, password](bool right) {
        if (!right) {
            parts_.admission.note_failure(login_.ip, parts_.loop.now());
            failure_noted_ = true;
            return reject(RefusalReason::bad_password, "it isn't the user's");
        }
        if (!parts_.own_key) login_.password = password;
        log_in(LoginBy::password, "password", {});
    });
}

void UserConnection::judge_key(Offer offer) {
    if (const auto strong = check_strong(offer.key); !strong) return reject(RefusalReason::bad_key, strong.error().detail);
    if (auto options = parts_.local_keys.judge(offer.key, login_.ip, wall_now())) return take_key(offer, LoginBy::local_key, std::move(*options));
    if (parts_.fetcher) {
        if (const auto keys = parts_.fetcher->known(login_.user)) return judge_by_remote(offer, keys);
        return ask_remote(std::move(offer));
    }
    // Any key: what it opens is decided by the remote.
    take_key(offer, parts_.config.accept_any_key ? LoginBy::any_key : LoginBy::agent, {});
}

void UserConnection::ask_remote(Offer offer) {
    RemoteLinkPtr spare = fetched_link_ ? fetched_link_ : parts_.pool.take({login_.user, offer.key.fingerprint()});
    if (spare && spare->over()) spare = nullptr;
    key_question_ = parts_.fetcher->ask(login_.user, std::move(spare), [this, offer](KeyFetcher::Answer answer) {
        if (answer.link) fetched_link_ = std::move(answer.link);
        if (answer.keys) return judge_by_remote(offer, answer.keys);
        if (parts_.config.accept_any_key) return take_key(offer, LoginBy::any_key, {});
        reject(answer.failure.reason, "its user's authorized_keys can't be read: " + answer.failure.detail);
    });
    if (key_question_) return;
    if (parts_.config.accept_any_key) return take_key(offer, LoginBy::any_key, {});
    reject(RefusalReason::bad_key, "its user's authorized_keys could not be read three times within a minute");
}

void UserConnection::judge_by_remote(const Offer& offer, const KeyFetcher::Keys& keys) {
    auto options = gateway::judge_key(*keys, offer.key, login_.ip, wall_now());
    if (options) return take_key(offer, LoginBy::remote_key, std::move(*options));
    if (parts_.config.accept_any_key) return take_key(offer, LoginBy::any_key, {});
    reject(RefusalReason::bad_key, options.error().detail);
}

void UserConnection::take_key(const Offer& offer, LoginBy by, AuthorizedKeyOptions options) {
    if (!offer.proven) return connection_->accept_login();  // "sign with it"
    log_in(by, offer.key.fingerprint(), std::move(options));
}

void UserConnection::log_in(LoginBy by, std::string key, AuthorizedKeyOptions options) {
    if (!parts_.admission.log_in(place_, login_.user))
        return turn_away(RefusalReason::too_many_of_user, "too many connections of this user");
    login_.by = by;
    login_.key = std::move(key);
    login_.options = std::move(options);
    connection_->accept_login();
}

void UserConnection::reject(RefusalReason reason, std::string_view detail) {
    last_refusal_ = reason;
    parts_.log.debug("gateway.login_rejected", {{"user", login_.user}, {"from", login_.ip}, {"reason", name_of(reason)}, {"detail", detail}});
    if (++rejected_ > parts_.config.max_login_attempts) return turn_away(RefusalReason::too_many_attempts, "too many attempts to log in");
    connection_->reject_login({.public_key = true, .password = parts_.config.password_auth});
}

void UserConnection::turn_away(RefusalReason reason, const std::string& text) {
    last_refusal_ = reason;
    if (state_ == State::in) {  // else counted at its end
        ++parts_.counters.refusals[reason];
        parts_.log.info("gateway.refused", {{"user", login_.user}, {"from", login_.ip}, {"key", login_.key}, {"reason", name_of(reason)}});
    } else {
        rejected_ = std::max(rejected_, 1U);
    }
    connection_->close({Errc::unauthorized, std::string(name_of(reason))}, text);
}

void UserConnection::on_authenticated() {
    state_ = State::in;
    ++parts_.counters.logins[login_.by];
    parts_.log.info("gateway.login", {{"user", login_.user},
                                      {"from", login_.ip},
                                      {"by", name_of(login_.by)},
                                      {"key", login_.key},
                                      {"client", one_line(connection_->peer_version())}});
    key_question_.reset();
    password_question_.reset();
    if (parts_.config.idle_timeout > std::chrono::milliseconds::zero()) idle_.start_about(parts_.config.idle_timeout);
    by_agent_ = !parts_.own_key && login_.by != LoginBy::password;
    if (by_agent_) return proof_.start(parts_.config.login_grace_time);
    RemoteLinkPtr link = std::exchange(fetched_link_, nullptr);
    if (!link || link->over()) link = parts_.pool.take(login_.holder());
    if (link && link->ready()) ++parts_.counters.warm_taken;
    if (link && !link->over()) return take_link(std::move(link));
    std::vector<RemoteCredential> credentials;
    if (parts_.own_key) credentials.emplace_back(*parts_.own_key);
    else credentials.emplace_back(std::exchange(login_.password, {}));
    make_link(std::move(credentials));
}

// ---------------------------------------------------------------- the remote

void UserConnection::make_link(std::vector<RemoteCredential> credentials) {
    take_link(std::make_shared<RemoteLink>(parts_.site, login_.user, std::move(credentials)));
}

void UserConnection::take_link(RemoteLinkPtr link) {
    link_ = std::move(link);
    link_->add(*this);
    link_->set_receiver(this);
    if (link_->ready()) on_link_ready(*link_);
}

void UserConnection::on_link_ready(RemoteLink&) {
    proof_.cancel();
    ++parts_.counters.remote_connections;
    keep_a_spare();
    tell_link_users();
}

// For this holder's next login; made once this login has what it needs. With an agent there is none: what the agent's
// keys open isn't what the key that logged in here opens.
void UserConnection::keep_a_spare() {
    if (!parts_.own_key || !parts_.pool.wants(login_.holder())) return;
    std::vector<RemoteCredential> credentials;
    credentials.emplace_back(*parts_.own_key);
    parts_.pool.put(login_.holder(), std::make_shared<RemoteLink>(parts_.site, login_.user, std::move(credentials)), parts_.config.warm_timeout);
}

void UserConnection::on_link_over(RemoteLink&, const RemoteFailure& why) {
    parts_.log.info("gateway.remote_lost", {{"user", login_.user}, {"from", login_.ip}, {"reason", name_of(why.reason)}, {"detail", why.detail}});
    if (!why.was_ready) {
        ++parts_.counters.remote_failures;
        ++parts_.counters.refusals[why.reason];
    }
    tell_link_users();
    // What is open, or being opened now, tells its user.
    if (channels_.empty() && state_ == State::in) useless_.start(kFarewell);
}

void UserConnection::tell_link_users() {
    const auto waiting = std::exchange(link_users_, {});
    for (LinkUser* const user : waiting) {
        if (link_->ready()) user->on_link(*link_);
        else user->on_no_link(link_->failure());
    }
}

void UserConnection::need_link(LinkUser& user, Agent agent) {
    if (link_ && link_->ready()) return user.on_link(*link_);
    if (link_ && link_->over()) return user.on_no_link(link_->failure());
    if (link_ || !by_agent_ || agent == Agent::forwarded) link_users_.push_back(&user);
    if (link_ || !by_agent_) return;
    if (agent == Agent::none) {
        ++parts_.counters.refusals[RefusalReason::no_agent];
        parts_.log.info("gateway.refused", {{"user", login_.user}, {"from", login_.ip}, {"key", login_.key}, {"reason", "no_agent"}});
        return user.on_no_link({RefusalReason::no_agent, "the client forwards no agent"});
    }
    auto socket = ssh::AgentSocket::make(parts_.loop, [this](ssh::Channel::Owner& owner) { return connection_->open_agent(owner); });
    if (!socket) {
        std::erase(link_users_, &user);
        return user.on_no_link({RefusalReason::no_agent, socket.error().detail});
    }
    std::vector<RemoteCredential> credentials;
    credentials.emplace_back(std::move(*socket));
    make_link(std::move(credentials));
}

void UserConnection::receive_from(RemoteLinkPtr link) {
    if (link == link_ || std::ranges::find(other_links_, link) != other_links_.end()) return;
    link->set_receiver(this);
    other_links_.push_back(std::move(link));
}

void UserConnection::forget(LinkUser& user) { std::erase(link_users_, &user); }

// ---------------------------------------------------------------- channels

void UserConnection::on_channel_requested(std::unique_ptr<ssh::IncomingChannel> channel) {
    touch();
    const ssh::ChannelOpen& asked = channel->asked();
    if (channels_.size() >= parts_.config.max_channels) return channel->refuse();
    if (asked.kind == ssh::ChannelOpen::Kind::session) {
        auto session = std::make_unique<UserSession>(*this);
        auto accepted = channel->accept(session->near());
        if (!accepted) return;
        UserSession& added = *session;
        add(std::move(session));
        return added.set_near(std::move(*accepted));
    }
    if (asked.kind != ssh::ChannelOpen::Kind::direct_tcpip || !login_.options.may_open(asked.address, asked.port)) return channel->refuse();
    auto bridge = std::make_unique<DirectBridge>(*this, std::move(channel));
    DirectBridge& added = *bridge;
    add(std::move(bridge));
    added.start();
}

void UserConnection::on_link_channel(std::unique_ptr<ssh::IncomingChannel> channel) {
    touch();
    const ssh::ChannelOpen asked = channel->asked();
    ReverseBridge::Open open;
    if (state_ != State::in || channels_.size() >= parts_.config.max_channels) return channel->refuse();
    if (asked.kind == ssh::ChannelOpen::Kind::agent) {
        if (!login_.options.agent_forwarding) return channel->refuse();
        open = [this](ssh::Channel::Owner& owner) { return connection_->open_agent(owner); };
    } else {
        const auto forward = std::ranges::find_if(forwards_, [&](const Forward& each) { return each.asked.address == asked.address && each.port == asked.port; });
        if (forward == forwards_.end()) return channel->refuse();
        const ssh::ForwardRequest at{forward->asked.address, forward->port};
        open = [this, at, asked](ssh::Channel::Owner& owner) { return connection_->open_forwarded(owner, at, asked.origin_address, asked.origin_port); };
    }
    auto bridge = std::make_unique<ReverseBridge>(*this, std::move(channel));
    ReverseBridge& added = *bridge;
    add(std::move(bridge));
    added.start(open);
}

void UserConnection::add(std::unique_ptr<UserChannel> channel) {
    UserChannel* const key = channel.get();
    channels_.emplace(key, std::move(channel));
}

void UserConnection::over(UserChannel& channel) {
    const auto place = channels_.find(&channel);
    if (place == channels_.end()) return;
    parts_.loop.dispose(std::move(place->second));
    channels_.erase(place);
    // Not at once: a client that has its exit status in hand would take our farewell for a failure.
    if (channels_.empty() && state_ == State::in) useless_.start(kFarewell);
}

// ---------------------------------------------------------------- -R

void UserConnection::on_forward_request(const ssh::ForwardRequest& request) {
    touch();
    constexpr std::size_t kMostForwards = 64;
    if (forwards_.size() >= kMostForwards || !login_.options.may_listen(request.address, request.port)) return connection_->refuse_forward();
    forward_wish_ = std::make_unique<ForwardWish>(*this, request);
    // Without a gateway key there is a link only once a session has brought the agent: it is waited for.
    if (by_agent_ && !link_) return link_users_.push_back(forward_wish_.get());
    need_link(*forward_wish_, Agent::none);
}

void UserConnection::answer_forward(const ssh::ForwardRequest& asked, Result<std::uint16_t> port) {
    parts_.loop.dispose(std::move(forward_wish_));
    if (!port) return connection_->refuse_forward();
    forwards_.push_back({asked, *port});
    connection_->accept_forward(*port);
}

void UserConnection::on_forward_cancelled(const ssh::ForwardRequest& request) {
    const auto forward = std::ranges::find_if(forwards_, [&](const Forward& each) { return each.asked.address == request.address && each.port == request.port; });
    if (forward == forwards_.end()) return;
    if (link_ && link_->ready()) link_->connection().cancel_forward(forward->asked.address, forward->port);
    forwards_.erase(forward);
}

// ---------------------------------------------------------------- the end

void UserConnection::check_idle() {
    const auto silent = parts_.loop.now() - touched_at_;
    if (silent >= parts_.config.idle_timeout) return connection_->close({Errc::timeout, "idle"}, "idle for too long");
    idle_.start_about(parts_.config.idle_timeout - silent);
}

void UserConnection::look_whether_useless() {
    if (!channels_.empty() || state_ != State::in) return;
    if (stopping_) return cut();
    if (link_ && link_->over()) connection_->close({Errc::unreachable, "the remote is gone"}, "sallyport: " + std::string(link_->failure().for_user()));
}

void UserConnection::stop() {
    stopping_ = true;
    if (channels_.empty()) cut();
}

void UserConnection::cut() { connection_->close({Errc::end_of_stream, "the gateway stops"}, "the gateway is being stopped"); }

void UserConnection::on_connection_closed(const Error& reason) {
    if (state_ == State::over) return;
    const bool was_in = std::exchange(state_, State::over) == State::in;
    parts_.counters.octets_in += connection_->octets_in();
    parts_.counters.octets_out += connection_->octets_out();
    if (was_in) {
        parts_.log.info("gateway.disconnected",
                        {{"user", login_.user},
                         {"from", login_.ip},
                         {"key", login_.key},
                         {"seconds", std::chrono::duration_cast<std::chrono::seconds>(parts_.loop.now() - began_at_).count()},
                         {"octets_in", connection_->octets_in()},
                         {"octets_out", connection_->octets_out()},
                         {"reason", reason.detail.empty() ? name_of(reason.code) : std::string_view(reason.detail)}});
    } else if (rejected_ > 0 || reason.code == Errc::timeout) {
        if (rejected_ == 0) last_refusal_ = RefusalReason::grace_over;
        ++parts_.counters.refusals[last_refusal_];
        if (!failure_noted_) parts_.admission.note_failure(login_.ip, parts_.loop.now());
        parts_.log.info("gateway.refused", {{"user", login_.user}, {"from", login_.ip}, {"reason", name_of(last_refusal_)}, {"attempts", rejected_}});
    }
    key_question_.reset();
    password_question_.reset();
    useless_.cancel();
    proof_.cancel();
    idle_.cancel();
    forward_wish_.reset();
    for (auto& [bridge, owned] : std::exchange(channels_, {})) parts_.loop.dispose(std::move(owned));
    on_over_(*this);
}

}  // namespace sallyport::gateway
