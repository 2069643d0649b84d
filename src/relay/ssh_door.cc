#include "relay/ssh_door.h"

#include <algorithm>

#include "relay/ssh_key_rules.h"
#include "wire/ip_network.h"

namespace sallyport::relay {
namespace {

using namespace std::chrono_literals;

constexpr unsigned kRefusedLinesASecond = 50;
constexpr std::string_view kShieldHome = "SSH";

BanShield::Who who_of(const std::string& ip) { return {.ip = ip, .home = kShieldHome, .home_name = kShieldHome}; }

}  // namespace

// A connection until its login.
class SshDoor::Guest final : private ssh::ServerConnection::Owner {
public:
    Guest(SshDoor& door, const SocketAddress& peer, VisitorLimits::Visit arrived)
        : visit(std::move(arrived)), door_(door), ip_(peer.ip()), wait_(door.here_.loop(), [this] { judge_waiting(); }), leave_(door.here_.loop(), [this] { door_.hand_over(*this); }) {}

    Result<> begin(Descriptor accepted) {
        auto made = ssh::ServerConnection::make(door_.here_.loop(), *door_.host_, std::move(accepted), *this);
        if (!made) return std::unexpected(made.error());
        connection = std::move(*made);
        return {};
    }
    void send_away(std::string text) {
        if (!leaving_) connection->close({Errc::refused, text}, text);
    }

    std::unique_ptr<ssh::ServerConnection> connection;
    VisitorLimits::Visit visit;
    SshLogin login;

private:
    using Login = ssh::LoginRequest;

    void on_login_request(const Login& request) override {
        if (request.method != Login::Method::public_key) return connection->reject_login({});
        waiting_ = request;
        judge_waiting();
    }
    void on_authenticated() override {
        visit.end_handshake();
        door_.shield_.succeed(who_of(ip_));
        attempt_.end();
        connection->park();
        leaving_ = true;
        leave_.ask();  // not from within a call of the connection, which another thread may use from then on
    }
    void on_forward_request(const ssh::ForwardRequest&) override { connection->refuse_forward(); }
    void on_forward_cancelled(const ssh::ForwardRequest&) override {}
    void on_channel_requested(std::unique_ptr<ssh::IncomingChannel> channel) override { channel->refuse(); }
    void on_connection_closed(const Error&) override {
        attempt_.end();
        const SshRefusal reason = reason_.value_or(SshRefusal::no_login);
        door_.note_refused(reason, ip_, user_, key_, agent_);
        if (reason == SshRefusal::unknown_key || reason == SshRefusal::weak_key)
            if (const auto banned = door_.shield_.fail(who_of(ip_), BanKind::ssh, Clock::now()))
                door_.log_.info("visitor.banned", {{"address", banned->address}, {"agent", banned->home_name}, {"kind", name_of(banned->kind)}, {"for_s", banned->for_s.count()}});
        door_.on_guest_over(*this);
    }

    // The shield is asked once a connection; meanwhile the client waits for its answer.
    void judge_waiting() {
        if (!attempt_ && !judged_) {
            auto judgement = door_.shield_.judge(who_of(ip_), BanShield::Ask::login, Clock::now());
            if (judgement.verdict == BanShield::Judgement::Verdict::wait) return wait_.start(judgement.after);
            if (judgement.verdict == BanShield::Judgement::Verdict::refuse) {
                reason_ = SshRefusal::banned;
                user_ = waiting_.user;
                return send_away("too many failed logins from " + ip_ + "; try again in " +
                                 std::to_string(std::chrono::ceil<std::chrono::seconds>(judgement.after).count()) + " s");
            }
            attempt_ = std::move(judgement.attempt);
            judged_ = true;
        }
        judge(waiting_);
    }

    void judge(const Login& request) {
        const DirectoryPtr& directory = door_.here_.directory();
        const store::Credential* known = directory->credential_of_ssh_key(request.key);
        const store::Agent* agent = known ? directory->agent(known->agent.text) : nullptr;
        if (!agent) return refuse(SshRefusal::unknown_key, request, {});
        if (const auto fit = check_strong(request.key); !fit) return refuse(SshRefusal::weak_key, request, fit.error().detail);
        // It would do; who says so must sign before anything else is said.
        if (!request.proven) return connection->accept_login();
        agent_ = agent->name;
        AuthorizedKeyOptions options = options_of(*known);
        if (agent->enabled == store::Enabled::no) return refuse(SshRefusal::disabled, request, agent->name + " is disabled on this relay");
        const auto address = parse_ip_address(ip_);
        if (!address || !options.lets_in_from(*address)) return refuse(SshRefusal::not_from_here, request, "this key may not be used from " + ip_ + " (from= of its line on the relay)");
        if (options.expired(wall_now())) return refuse(SshRefusal::expired, request, "the time of this key is over (expiry-time= of its line on the relay)");
        login = {{agent->id.text, agent->name, known->id.text, {}}, std::move(options), request.user, request.key.fingerprint()};
        connection->accept_login();
    }

    void refuse(SshRefusal reason, const Login& request, const std::string& text) {
        reason_ = reason;
        user_ = request.user;
        key_ = request.key.fingerprint();
        if (!text.empty()) connection->send_banner("Sallyport: " + text + "\n");
        connection->reject_login({});
    }

    SshDoor& door_;
    const std::string ip_;
    Login waiting_;
    bool judged_ = false;
    BanShield::Attempt attempt_;
    std::optional<SshRefusal> reason_;
    std::string user_, key_, agent_;
    bool leaving_ = false;
    Timer wait_;
    TurnEnd leave_;
};

SshDoor::SshDoor(std::size_t loop_index, Agents& agents, Log& log, VisitorLimits& limits, BanShield& shield, DoorOf door_of)
    : agents_(agents), here_(agents.at(loop_index)), log_(log), limits_(limits), shield_(shield), door_of_(std::move(door_of)),
      refused_lines_(here_.loop(), log, "ssh", kRefusedLinesASecond) {}

SshDoor::~SshDoor() = default;

void SshDoor::listen(Descriptor listener, std::shared_ptr<const ssh::ServerHost> host) {
    if (closing_) return;
    host_ = std::move(host);
    acceptors_.push_back(std::make_unique<Acceptor>(
        here_.loop(), std::move(listener), [this](Descriptor connection, const SocketAddress& peer) { take(std::move(connection), peer); },
        [this](const Error& error) { log_.warn("relay.ssh_accept_failed", {{"detail", error.detail}}); }));
}

void SshDoor::take(Descriptor connection, const SocketAddress& peer) {
    counters_.connections.add();
    auto visit = limits_.admit(peer, VisitorLimits::Kind::tls, here_.loop().now());
    if (!visit || visit->in_reserve()) return;  // counted there; closed without a word, as an unhurried sshd does
    tune_connection(connection.get());
    auto guest = std::make_unique<Guest>(*this, peer, std::move(*visit));
    if (!guest->begin(std::move(connection))) return;
    guests_.emplace(guest.get(), std::move(guest));
}

void SshDoor::hand_over(Guest& guest) {
    counters_.logins.add();
    const std::size_t owner = agents_.owner_of(guest.login.agent.agent_id);
    SshDoor& door = door_of_(owner);
    auto carried = [&door, login = std::move(guest.login), connection = std::move(guest.connection), visit = std::move(guest.visit)]() mutable {
        door.take_client(std::move(login), std::move(connection), std::move(visit));
    };
    on_guest_over(guest);
    door.here_.loop().post(std::move(carried));
}

void SshDoor::take_client(SshLogin login, std::unique_ptr<ssh::ServerConnection> connection, VisitorLimits::Visit visit) {
    const std::string agent_id = login.agent.agent_id;
    const auto same = std::ranges::count_if(clients_, [&](const auto& item) { return item.first->agent_id() == agent_id; });
    if (static_cast<std::size_t>(same) >= kMostSshClients)
        note_refused(SshRefusal::too_many, connection->peer_address().ip(), login.user, login.fingerprint, login.agent.name);
    auto client = std::make_unique<SshClient>(here_, counters_, std::move(login), std::move(connection), std::move(visit), static_cast<SshClient::Owner&>(*this));
    SshClient& taken = *client;
    clients_.emplace(&taken, std::move(client));
    if (closing_) taken.close({Errc::end_of_stream, "the relay is stopping"}, "the relay is stopping or being replaced; connect again");
    else if (static_cast<std::size_t>(same) >= kMostSshClients)
        taken.close({Errc::no_space, "too many connections"}, "this agent has " + std::to_string(kMostSshClients) + " SSH connections already");
}

void SshDoor::on_guest_over(Guest& guest) {
    const auto found = guests_.find(&guest);
    here_.loop().dispose(std::move(found->second));
    guests_.erase(found);
}

void SshDoor::on_ssh_client_over(SshClient& client) {
    const auto found = clients_.find(&client);
    here_.loop().dispose(std::move(found->second));
    clients_.erase(found);
}

void SshDoor::note_refused(SshRefusal reason, const std::string& peer, std::string_view user, std::string_view key, std::string_view agent) {
    counters_.refused[static_cast<std::size_t>(reason)].add();
    const LogLevel level = reason == SshRefusal::no_login ? LogLevel::debug : LogLevel::info;
    if (!log_.enabled(level) || !refused_lines_.admit()) return;
    log_.write(level, "ssh.refused", {{"reason", name_of(reason)}, {"peer", peer}, {"user", user}, {"key", key}, {"agent", agent}});
}

void SshDoor::stop_listening() {
    closing_ = true;
    acceptors_.clear();
    for (const auto& [guest, held] : guests_) guest->send_away("the relay is stopping or being replaced; connect again");
}

void SshDoor::close_all() {
    stop_listening();
    for (const auto& [client, held] : clients_) client->close({Errc::end_of_stream, "the relay is stopping"}, "the relay is stopping or being replaced; connect again");
}

void SshDoor::try_again() {
    for (const auto& acceptor : acceptors_) acceptor->try_again();
}

}  // namespace sallyport::relay
