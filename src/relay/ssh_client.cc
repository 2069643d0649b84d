#include "relay/ssh_client.h"

#include <algorithm>

#include "base/version.h"
#include "ssh/channel_stream.h"
#include "wire/forwarded.h"
#include "wire/ip_network.h"

namespace sallyport::relay {
namespace {

using namespace std::chrono_literals;

constexpr auto kRefusalPatience = 250ms;  // in which a client's further requests have come, if there are any
constexpr auto kScoutPatience = 2s;       // what a stream waits at most until it is known what serves it
constexpr auto kDrainGrace = 2s;          // visitors of the process that follows wait until the client has come there
constexpr auto kLookWhetherIdle = 50ms;
constexpr std::size_t kMostText = 400;    // ssh/connection.h
constexpr std::size_t kMostRefusals = 8;
constexpr std::size_t kMostReports = 256;  // wire/control_message.h

std::string printable(std::string_view text, std::size_t most) {
    std::string out(text.substr(0, most));
    for (char& c : out)
        if (c < ' ' || c >= 0x7f) c = '?';
    return out;
}

// What stands behind a route whose forward isn't there.
std::string missing_forward(const std::vector<OwnedRoute>& owned, const std::string& target) {
    std::string text = "the SSH client that is connected forwards nothing for " + target;
    for (const OwnedRoute& route : owned)
        if (route.target == target) return text + ": it wants " + choices({route});
    return text;
}

bool same_place(const AskedForward& permitted, const AuthorizedKeyOptions& options) {
    if (options.may_listen(permitted.address, permitted.port)) return true;
    if (!means_here(permitted.address)) return false;
    for (const std::string_view here : {"localhost", "127.0.0.1", "::1", "*", ""})
        if (options.may_listen(here, permitted.port)) return true;
    return false;
}

}  // namespace

// Waits for the verdict whether the client may be the agent.
class SshClient::Arriving final : public ArrivingClient {
public:
    explicit Arriving(SshClient& client) : client_(client.self_), loop_(client.home_.loop()), peer_(client.connection_->peer_address().ip()) {}
    std::string peer() const override { return peer_; }

    std::unique_ptr<Tunnel> begin(Tunnel::Owner& owner) override {
        auto tunnel = std::make_unique<SshTunnel>(loop_, *client_ ? static_cast<SshTunnel::Client*>(*client_) : nullptr, owner);
        if (*client_) (*client_)->begin_tunnel(*tunnel);
        return tunnel;
    }

    void refuse(AdmissionRefusal reason, const std::string& live_peer) override {
        if (!*client_) return;
        SshClient& client = **client_;
        const std::string& name = client.login_.agent.name;
        std::string why = name + " can't be connected now: " + std::string(name_of(reason));
        if (reason == AdmissionRefusal::duplicate_live)
            why = name + " is connected from " + live_peer + " already and answers, so this connection from " + peer_ +
                  " is refused; if this is the right one, say on the relay: sallyport admin agent takeover " + name;
        if (reason == AdmissionRefusal::disabled) why = name + " is disabled, or its key was revoked";
        if (reason == AdmissionRefusal::overload) why = "the relay has as many agents connected as it takes, or is stopping; try again later";
        client.refuse_pending(std::move(why));
    }

private:
    const std::shared_ptr<SshClient*> client_;
    Loop& loop_;
    const std::string peer_;
};

SshClient::SshClient(LoopAgents& home, SshCounters& counters, SshLogin login, std::unique_ptr<ssh::ServerConnection> connection,
                     VisitorLimits::Visit visit, Owner& owner)
    : home_(home),
      counters_(counters),
      login_(std::move(login)),
      visit_(std::move(visit)),
      owner_(owner),
      self_(std::make_shared<SshClient*>(this)),
      refusal_timer_(home.loop(), [this] { settle_refusal(); }),
      drain_timer_(home.loop(), [this] { look_whether_idle(); }),
      announce_(home.loop(), [this] { say_what_is_served(); }),
      connection_(std::move(connection)) {
    counters_.open.add();
    connection_->unpark(home_.loop(), *this);
    home_.log().info("ssh.opened", {{"agent", login_.agent.name},
                                    {"peer", connection_->peer_address().ip()},
                                    {"version", version()},
                                    {"user", login_.user},
                                    {"key", login_.fingerprint},
                                    {"cipher", connection_->cipher()}});
}

SshClient::~SshClient() {
    *self_ = nullptr;
    counters_.open.subtract();
    counters_.forwards.subtract(forwards_.size());
    if (tunnel_) tunnel_->detach({Errc::reset, "the SSH client has gone"});
}

std::string SshClient::version() const {
    std::string_view version = connection_->peer_version();
    if (version.starts_with("SSH-2.0-")) version.remove_prefix(8);
    return printable(version.substr(0, version.find(' ')), 64);
}

// ---- forwards

void SshClient::on_forward_request(const ssh::ForwardRequest& request) {
    pending_ = AskedForward{request.address, request.port};
    if (const auto fine = judge(*pending_); !fine) return refuse_pending(fine.error().detail);
    if (tunnel_) return add_pending();
    Arrival arrival;
    arrival.agent = login_.agent;
    arrival.client = std::make_unique<Arriving>(*this);
    home_.admit(std::move(arrival));
}

Result<> SshClient::judge(const AskedForward& asked) {
    const auto refuse = [](std::string why) { return fail(Errc::invalid_argument, std::move(why)); };
    if (asked.address.size() > kMaxForwardAddress) return refuse("the address to bind is too long");
    if (forwards_.size() >= kMostForwards) return refuse("one connection has at most " + std::to_string(kMostForwards) + " forwards");
    if (login_.options.expired(wall_now())) return refuse("the time of this key is over (expiry-time=)");
    if (!same_place(asked, login_.options)) return refuse("this key's options on the relay don't permit to listen at " + shown(asked) + " (permitlisten=)");
    for (const auto& forward : forwards_)
        if (forward->asked == asked) return refuse(shown(asked) + " is forwarded by this connection already");
    read_routes();
    const auto meant = routes_meant(owned_, asked);
    if (!meant) return refuse(meant.error().detail);
    return {};
}

void SshClient::begin_tunnel(SshTunnel& tunnel) {
    tunnel_ = &tunnel;
    visit_ = {};  // from now on it counts among the agents
    add_pending();
}

void SshClient::add_pending() {
    auto forward = std::make_unique<Forward>(Forward{*pending_, pending_->port, {}});
    const auto meant = routes_meant(owned_, forward->asked);
    if (forward->port == 0 && meant) {
        std::vector<AskedForward> taken;
        for (const auto& other : forwards_) taken.push_back({other->asked.address, other->port});
        forward->port = choose_port(owned_[meant->front()], home_.directory()->port().port, taken);
    }
    const ssh::ForwardRequest at{forward->asked.address, forward->port};
    forward->scout = std::make_unique<SshTargetScout>(
        home_.loop(), [this, at](Stream::Owner& owner) { return ssh::open_forwarded_stream(*connection_, owner, at, "127.0.0.1", 0); },
        [this, held = forward->held](bool changed) {
            if (changed) say_what_is_served();  // before those who wait for it go on
            HeldStream::open_all(held);
        });
    const std::uint16_t port = forward->port;
    forwards_.push_back(std::move(forward));
    counters_.forwards.add();
    assigned_ = assign_routes(owned_, asked_so_far());
    home_.log().info("ssh.forward_opened", {{"agent", login_.agent.name}, {"listen", shown(*pending_)}, {"routes", urls_of(forwards_.size() - 1)}});
    pending_.reset();
    connection_->accept_forward(port);
    announce_.ask();
    settled();
}

// More requests may stand behind this one; the client has sent them by now, but they come one by one.
void SshClient::refuse_pending(std::string why) {
    counters_.forwards_refused.add();
    home_.log().info("ssh.forward_refused", {{"agent", login_.agent.name}, {"peer", connection_->peer_address().ip()}, {"listen", shown(*pending_)}, {"detail", why}});
    if (refusals_.size() < kMostRefusals) refusals_.push_back("-R " + shown(*pending_) + ": " + why);
    for (const auto& channel : status_) channel->tell_error("-R " + shown(*pending_) + " is refused: " + why);
    refused_ = std::move(why);
    if (tunnel_) return settle_refusal();
    refusal_timer_.start(kRefusalPatience);
}

void SshClient::settle_refusal() {
    if (!refused_) return;
    const std::string why = *std::exchange(refused_, std::nullopt);
    pending_.reset();
    if (!tunnel_ && status_.empty() && connection_->forwards_waiting() == 0)
        return connection_->close({Errc::refused, "nothing of what it asked to forward is allowed: " + why}, printable(why, kMostText));
    connection_->refuse_forward();
    settled();
}

void SshClient::settled() {
    if (!forwards_settled()) return;
    for (const auto& channel : status_) channel->on_settled();
}

void SshClient::on_forward_cancelled(const ssh::ForwardRequest& request) {
    const auto found = std::ranges::find_if(forwards_, [&](const auto& forward) {
        return forward->asked.address == request.address && (forward->asked.port == request.port || forward->port == request.port);
    });
    if (found == forwards_.end()) return;
    home_.log().info("ssh.forward_closed", {{"agent", login_.agent.name}, {"listen", shown((*found)->asked)}});
    forwards_.erase(found);
    counters_.forwards.subtract();
    assigned_ = assign_routes(owned_, asked_so_far());
    if (forwards_.empty()) leave_tunnel({Errc::end_of_stream, "the SSH client cancelled what it forwarded"});
    else announce_.ask();
}

void SshClient::leave_tunnel(Error reason) {
    said_hello_ = false;
    if (SshTunnel* tunnel = std::exchange(tunnel_, nullptr)) tunnel->detach(std::move(reason));
    for (const auto& channel : status_) channel->on_settled();
}

std::vector<AskedForward> SshClient::asked_so_far() const {
    std::vector<AskedForward> asked;
    for (const auto& forward : forwards_) asked.push_back(forward->asked);
    return asked;
}

// ---- what it serves

// Whether anything has changed.
bool SshClient::read_routes() {
    if (seen_ == home_.directory()) return false;
    seen_ = home_.directory();
    const std::vector<OwnedRoute>& owned = seen_->owned_routes(login_.agent.agent_id);
    if (owned == owned_) return false;
    owned_ = owned;
    assigned_ = assign_routes(owned_, asked_so_far());
    return true;
}

void SshClient::say_what_is_served() {
    if (!tunnel_) return;
    read_routes();
    for (std::size_t i = 0; i < owned_.size(); ++i)
        if (assigned_[i] && !owned_[i].is_tcp()) forwards_[*assigned_[i]]->scout->look();
    if (std::exchange(said_hello_, true)) return tunnel_->say(TargetsMessage{reports()});
    HelloMessage hello{.version = version(), .targets = reports()};
    tunnel_->say(hello);
}

std::vector<TargetReport> SshClient::reports() const {
    std::vector<TargetReport> reports;
    for (std::size_t i = 0; i < owned_.size() && reports.size() < kMostReports; ++i) {
        if (!assigned_[i]) continue;
        const SshTargetScout& scout = *forwards_[*assigned_[i]]->scout;
        TargetReport report;
        report.name = owned_[i].target;
        report.scheme = owned_[i].is_tcp() ? "tcp" : "http";
        report.route = owned_[i].id;
        if (!owned_[i].is_tcp()) {
            report.forwarded_for = scout.findings().forwarded_for;
            report.trusted_networks = scout.findings().trusted_networks;
            report.home_assistant = scout.findings().home_assistant;
            report.probed = scout.known();
        }
        reports.push_back(std::move(report));
    }
    return reports;
}

Result<StreamPtr> SshClient::open_stream(const OpenRequest& request, Stream::Owner& owner) {
    if (read_routes()) announce_.ask();
    for (std::size_t i = 0; i < owned_.size(); ++i) {
        if (!assigned_[i] || (request.route.empty() ? owned_[i].target != request.target : owned_[i].id != request.route)) continue;
        const Forward& forward = *forwards_[*assigned_[i]];
        const auto visitor = parse_forwarded(request.forwarded);
        const bool named = visitor && !visitor->for_address.empty();
        const auto open = [client = self_, at = ssh::ForwardRequest{forward.asked.address, forward.port}, ip = named ? visitor->for_address : "127.0.0.1",
                           port = named ? visitor->for_port.value_or(0) : std::uint16_t{0}](Stream::Owner& to) -> Result<StreamPtr> {
            if (!*client) return fail(Errc::unreachable, "the SSH client has gone");
            return ssh::open_forwarded_stream(*(*client)->connection_, to, at, ip, port);
        };
        if (owned_[i].is_tcp() || forward.scout->known()) return open(owner);
        forward.scout->look();
        return std::make_unique<HeldStream>(home_.loop(), owner, open, forward.held, kScoutPatience);
    }
    return make_refused_stream(home_.loop(), owner, {403, "destination_not_found", missing_forward(owned_, request.target).substr(0, 256)});
}

void SshClient::on_probe_wanted() {
    for (const auto& forward : forwards_) forward->scout->look_again();
}

// ---- its end

// What runs gets a moment; who comes meanwhile waits in the process that follows.
void SshClient::on_drain(std::chrono::milliseconds deadline) {
    drains_until_ = Clock::now() + std::min<Duration>(kDrainGrace, deadline);
    drain_timer_.start(kLookWhetherIdle);
}

void SshClient::look_whether_idle() {
    if (open_streams() > 0 && Clock::now() < drains_until_) return drain_timer_.start(kLookWhetherIdle);
    connection_->close({Errc::end_of_stream, "the relay is stopping or being replaced"}, "the relay is stopping or being replaced; connect again");
}

void SshClient::close_connection(Error reason) {
    std::string text = printable(reason.detail, kMostText);
    connection_->close(std::move(reason), std::move(text));
}

void SshClient::on_connection_closed(const Error& reason) {
    const auto age = std::chrono::duration_cast<std::chrono::seconds>(Clock::now() - opened_at_);
    home_.log().info("ssh.closed", {{"agent", login_.agent.name},
                                    {"peer", connection_->peer_address().ip()},
                                    {"reason", name_of(reason.code)},
                                    {"detail", reason.detail},
                                    {"age_s", age.count()},
                                    {"rx_bytes", connection_->octets_in()},
                                    {"tx_bytes", connection_->octets_out()}});
    leave_tunnel(reason);
    owner_.on_ssh_client_over(*this);
}

// ---- what its user sees

void SshClient::on_channel_requested(std::unique_ptr<ssh::IncomingChannel> channel) {
    if (channel->asked().kind != ssh::ChannelOpen::Kind::session || status_.size() >= kMostStatusChannels) {
        home_.log().debug("ssh.channel_refused", {{"agent", login_.agent.name}, {"peer", connection_->peer_address().ip()}, {"address", channel->asked().address}, {"port", channel->asked().port}});
        return channel->refuse();
    }
    auto status = std::make_unique<SshStatusChannel>(home_.loop(), static_cast<SshStatusChannel::Host&>(*this));
    SshStatusChannel& made = *status;
    status_.push_back(std::move(status));
    if (!made.begin(std::move(channel))) {
        on_status_channel_over(made);
        return;
    }
    if (refused_) made.tell_error("-R " + shown(*pending_) + " is refused: " + *refused_);
}

void SshClient::on_status_channel_over(SshStatusChannel& channel) {
    const auto found = std::ranges::find_if(status_, [&](const auto& one) { return one.get() == &channel; });
    home_.loop().dispose(std::move(*found));
    status_.erase(found);
}

std::string SshClient::urls_of(std::size_t forward) const {
    std::string urls;
    for (std::size_t i = 0; i < owned_.size(); ++i)
        if (assigned_[i] == forward) urls += (urls.empty() ? "" : " ") + owned_[i].url;
    return urls;
}

std::string SshClient::status_text() const {
    const std::string& name = login_.agent.name;
    std::string text = "Sallyport relay " + std::string(kVersion) + ", agent " + name + ", from " + connection_->peer_address().ip() + "\n";
    for (std::size_t i = 0; i < forwards_.size(); ++i) {
        const std::string urls = urls_of(i);
        text += "  -R " + shown({forwards_[i]->asked.address, forwards_[i]->port}) + " serves " + (urls.empty() ? "nothing at the moment" : urls) + "\n";
    }
    for (const std::string& refusal : refusals_) text += "  refused: " + refusal + "\n";
    if (!forwards_.empty()) return text;
    std::vector<LiveAgent> live;
    home_.append_live(name, live);
    if (live.empty()) text += "  not connected; this connection forwards nothing\n";
    for (const LiveAgent& one : live) {
        text += "  connected from " + one.peer + " (" + printable(one.version, 64) + ")\n";
    }
    const std::vector<OwnedRoute>& owned = home_.directory()->owned_routes(login_.agent.agent_id);
    for (const OwnedRoute& route : owned) text += "  " + route.url + " leads to " + route.target + (live.empty() ? ": ssh -N " + forward_option(route) : "") + "\n";
    return text;
}

}  // namespace sallyport::relay
