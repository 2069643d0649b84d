#include "agent/ssh_library_link.h"

#include <algorithm>

#include "agent/ssh_preflight.h"
#include "net/socket.h"
#include "ssh/channel_stream.h"

namespace sallyport {
namespace {

constexpr std::size_t kMaxShown = 300;

std::string printable(std::string_view text) {
    std::string out(text.substr(0, kMaxShown));
    std::ranges::replace_if(out, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }, ' ');
    return out;
}

std::string software_of(std::string_view version) {
    for (const std::string_view protocol : {"SSH-2.0-", "SSH-1.99-"})
        if (version.starts_with(protocol)) version.remove_prefix(protocol.size());
    return printable(version);
}

}  // namespace

std::optional<std::size_t> forward_of(const std::vector<SshForward>& forwards, const std::vector<std::uint16_t>& ports, std::string_view address,
                                      std::uint16_t port) {
    // The one that is asked for: its first visitor may overtake the answer on its way to us.
    if (ports.size() < forwards.size()) {
        const RemoteForward& asked = forwards[ports.size()].line;
        if (asked.bind == address && (asked.port == port || asked.port == 0) && std::ranges::find(ports, port) == ports.end()) return ports.size();
    }
    std::optional<std::size_t> by_port;
    for (std::size_t at = 0; at < std::min(forwards.size(), ports.size()); ++at) {
        if (ports[at] != port) continue;
        if (forwards[at].line.bind == address) return at;
        if (!by_port) by_port = at;
    }
    return by_port;
}

SshLibraryLink::SshLibraryLink(Loop& loop, Workers& workers, Log& log, const SshServer& server, bool worked, SshLink::Owner& owner)
    : loop_(loop),
      log_(log),
      server_(server),
      worked_(worked),
      owner_(owner),
      deadline_(loop, [this] { end({SshFailure::Kind::network, "the server took longer than 60 s for the key exchange, the login and the forwards", {}}); }),
      check_(loop,
             [this] {
                 if (connection_ && connection_->heard_at() < checked_at_) end({SshFailure::Kind::ended, "no sign of life since the network changed", {}});
             }),
      gone_(loop, [this] { owner_.on_link_gone(*this); }),
      connector_(std::make_unique<Connector>(loop, workers, server.config.hostname, server.config.port, Connector::Limits{std::chrono::seconds(5), server.connect_timeout},
                                             [this](Result<Descriptor> connected) { on_connected(std::move(connected)); })) {}

SshLibraryLink::~SshLibraryLink() {
    look_.reset();
    connection_.reset();
}

void SshLibraryLink::on_connected(Result<Descriptor> connected) {
    loop_.dispose(std::move(connector_));
    if (!connected) return end(cannot_connect(server_.config, connected.error()));
    tune_connection(connected->get());
    ssh::ClientSettings settings;
    settings.user = server_.config.username;
    settings.login_grace = kSetUp;
    settings.keepalive_interval = server_.alive_interval;
    settings.keepalive_count_max = server_.alive_count;
    settings.most_channels = kMostChannels;
    settings.known_key_types = server_.host_keys.types();
    auto connection = ssh::ClientConnection::make(loop_, std::move(*connected), settings, static_cast<ssh::ClientConnection::Owner&>(*this));
    if (!connection) return end({SshFailure::Kind::setup, connection.error().detail, {}});
    connection_ = std::move(*connection);
    deadline_.start(kSetUp);
}

// ---- who it is, and who we are

void SshLibraryLink::on_host_key(const SshPublicKey& key) {
    if (over_) return;
    our_relay_ = is_sallyport(connection_->peer_version());
    const std::string shown = key.fingerprint();
    switch (server_.host_keys.judge(key)) {
        case SshKeyVerdict::known: break;
        case SshKeyVerdict::changed: return end(host_key_changed(server_.config, shown, server_.host_keys.fingerprints()));
        case SshKeyVerdict::revoked: return end(host_key_revoked(server_.config, shown));
        case SshKeyVerdict::not_given: return end(host_key_not_given(server_.config, shown));
        case SshKeyVerdict::first:
            if (const auto noted = server_.host_keys.note(key); !noted) return end({SshFailure::Kind::setup, "can't note the server's key: " + noted.error().detail, {}});
            owner_.on_link_key_noted(shown);
    }
    connection_->trust_host();
    connection_->log_in_with_key(server_.key);
}

void SshLibraryLink::on_login_refused(const ssh::LoginRefusal& refusal) {
    if (over_) return;
    SshFailure why = our_relay_ ? key_refused_by_relay(server_.config, server_.key.public_key().text()) : key_refused(server_.config, server_.authorized_line);
    if (refusal.partial)
        why = {SshFailure::Kind::key_refused, "the server takes this agent's key, but wants another proof on top", "see AuthenticationMethods in its sshd_config: publickey alone must do"};
    else if (!refusal.public_key)
        why = {SshFailure::Kind::key_refused, "the server takes no keys for the user " + server_.config.username, "see PubkeyAuthentication and AuthenticationMethods in its sshd_config"};
    if (!refusal.banner.empty()) why.reason += "; it says: " + printable(refusal.banner);
    end(why);
}

// ---- forwards

void SshLibraryLink::on_authenticated() {
    authenticated_ = true;
    if (!over_) ask_next_forward();
}

void SshLibraryLink::ask_next_forward() {
    connection_->request_forward(asked().bind, asked().port, [this](Result<std::uint16_t> granted) { on_forward(std::move(granted)); });
}

void SshLibraryLink::on_forward(Result<std::uint16_t> granted) {
    if (over_) return;
    if (!granted && granted.error().code == Errc::refused) return look_into_refusal();
    if (!granted) return;  // the connection is gone, and tells it itself
    ports_.push_back(*granted);
    looked_ = false;
    if (ports_.size() < server_.config.forwards.size()) return ask_next_forward();
    up_ = true;
    deadline_.cancel();
    owner_.on_link_up({connection_->peer_address().text(), software_of(connection_->peer_version()), ports_});
}

void SshLibraryLink::look_into_refusal() {
    const RemoteForward& forward = asked();
    if (our_relay_) return end(forward_refused_by_relay(forward));
    // Twice refused, and nobody listened in between.
    if (looked_) return end(forward_refused(server_.config, forward, ForwardDoubt::not_permitted, server_.authorized_line));
    looked_ = true;
    const auto unclear = [&] { end(worked_ ? forward_taken(server_.config, forward) : forward_refused(server_.config, forward, ForwardDoubt::unclear, server_.authorized_line)); };
    if (forward.port == 0) return end(forward_refused(server_.config, forward, ForwardDoubt::not_permitted, server_.authorized_line));
    const bool named = forward.bind.empty() || forward.bind == "0.0.0.0" || forward.bind == "::" || forward.binds_loopback();
    auto look = connection_->open_direct(static_cast<ssh::Channel::Owner&>(*this), forward.bind == "::1" ? "::1" : named ? "127.0.0.1" : forward.bind, forward.port, "127.0.0.1", 0);
    if (!look) return unclear();
    look_ = std::move(*look);
}

void SshLibraryLink::on_channel_open() {
    if (!over_) end(forward_taken(server_.config, asked()));
}

void SshLibraryLink::on_channel_refused(const Error& why) {
    if (over_) return;
    // Nobody listens: the session that did has gone this moment, or it isn't allowed. Asking again tells.
    if (why.code == Errc::unreachable) return ask_next_forward();
    end(worked_ ? forward_taken(server_.config, asked()) : forward_refused(server_.config, asked(), ForwardDoubt::unclear, server_.authorized_line));
}

void SshLibraryLink::on_channel_requested(std::unique_ptr<ssh::IncomingChannel> channel) {
    const ssh::ChannelOpen& opened = channel->asked();
    const auto forward = opened.kind == ssh::ChannelOpen::Kind::forwarded_tcpip && !over_ ? forward_of(server_.config.forwards, ports_, opened.address, opened.port) : std::nullopt;
    if (!forward) {
        log_.debug("agent.ssh_channel_refused", {{"server", server_.config.name}, {"address", printable(opened.address)}, {"port", opened.port}});
        return channel->refuse();
    }
    owner_.on_link_stream(*forward, ssh::as_stream(std::move(channel)));
}

// ---- the end

void SshLibraryLink::check() {
    if (!up_ || !connection_) return;
    checked_at_ = loop_.now();
    connection_->ping();
    check_.start(kCheck);
}

// `text` is for the server's log.
void SshLibraryLink::leave(std::string text) {
    over_ = true;
    deadline_.cancel();
    check_.cancel();
    loop_.dispose(std::move(connector_));
    if (connection_) connection_->close({Errc::end_of_stream, text}, text);
    else gone_.start(Duration::zero());
}

void SshLibraryLink::close() {
    if (!over_) leave("agent stopped");
}

void SshLibraryLink::end(const SshFailure& why) {
    if (over_) return;
    leave(std::string(name_of(why.kind)));
    owner_.on_link_closed(why);
}

SshFailure SshLibraryLink::failure_of(const Error& error) const {
    if (!up_ && authenticated_ && our_relay_ && error.detail.starts_with("Received ")) return refused_by_relay(printable(error.detail));
    SshFailure why{SshFailure::Kind::network, printable(error.detail), {}};
    if (up_) why.kind = SshFailure::Kind::ended;
    else if (error.code == Errc::protocol || error.code == Errc::refused) why.kind = SshFailure::Kind::protocol;
    if (why.reason.empty()) why.reason = name_of(error.code);
    return why;
}

void SshLibraryLink::on_connection_closed(const Error& reason) {
    if (!over_) {
        over_ = true;
        deadline_.cancel();
        check_.cancel();
        owner_.on_link_closed(failure_of(reason));
    }
    owner_.on_link_gone(*this);
}

}  // namespace sallyport
