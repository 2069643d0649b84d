#include "gateway/terminals.h"

#include "base/encoding.h"
#include "base/random.h"
#include "gateway/ssh_engine.h"

namespace sallyport::gateway {
namespace {

constexpr std::chrono::seconds kStartPatience{15};          // for mosh-server's answer
constexpr std::chrono::milliseconds kPidPatience{500};      // behind its first line
constexpr std::chrono::seconds kCleanUpPatience{20};

MoshPrediction of_mosh(Prediction prediction) {
    switch (prediction) {
        case Prediction::adaptive: return MoshPrediction::adaptive;
        case Prediction::always: return MoshPrediction::always;
        case Prediction::never: return MoshPrediction::never;
        case Prediction::experimental: return MoshPrediction::experimental;
    }
    return MoshPrediction::adaptive;
}

SshTerminalStart over_ssh(const TerminalWish& wish) { return {wish.term, wish.variables, wish.command, wish.agent}; }

}  // namespace

// What belongs to one session beside itself.
class Terminals::Host final : public TerminalSession::Owner {
public:
    Host(Terminals& terminals, RemoteLinkPtr link, TerminalWish wish, std::uint64_t number)
        : terminals_(terminals), link_(std::move(link)), wish_(std::move(wish)), number_(number), began_at_(terminals.loop_.now()) {}

    void count(SessionKind kind) {
        kind_ = kind;
        ++terminals_.counters_.open[kind_];
        ++terminals_.counters_.sessions[kind_];
    }
    std::uint64_t number() const { return number_; }
    const RemoteLinkPtr& link() const { return link_; }
    SessionKind kind() const { return kind_; }

private:
    Replacement on_session_no_contact(TerminalSession& session, const TerminalEnd& end) override {
        terminals_.log_.info("gateway.mosh_failed", {{"user", wish_.holder.user}, {"session", number_}, {"reason", "no_contact"}, {"detail", end.detail}});
        clean_up(end);
        if (session.traits().name != "mosh" || !link_->ready()) return {};
        ++terminals_.counters_.mosh_fallbacks;
        --terminals_.counters_.open[kind_];
        count(SessionKind::shell);
        return {make_ssh_engine(terminals_.loop_, link_, over_ssh(wish_)), "nothing comes back over UDP; using plain SSH"};
    }

    void on_session_end(TerminalSession& session, const TerminalEnd& end) override {
        --terminals_.counters_.open[kind_];
        const LinkState link = session.link();
        const std::string exit = !end.exit_signal.empty() ? "SIG" + end.exit_signal : end.exit_status ? std::to_string(*end.exit_status) : end.how == TerminalEnd::How::shell_ended ? "unknown" : "lost";
        terminals_.log_.info("gateway.session", {{"user", wish_.holder.user},
                                                 {"from", wish_.ip},
                                                 {"key", wish_.holder.key},
                                                 {"kind", name_of(kind_)},
                                                 {"session", number_},
                                                 {"seconds", std::chrono::duration_cast<std::chrono::seconds>(session.age()).count()},
                                                 {"octets_in", link.sent_octets},
                                                 {"octets_out", link.received_octets},
                                                 {"exit", exit},
                                                 {"detail", end.detail}});
        clean_up(end);
        terminals_.ended(*this, session);
    }

    // At the remote; the link stays for it.
    void clean_up(const TerminalEnd& end) {
        if (end.cleanup_command.empty() || !link_->ready()) return;
        RemoteCommand::Request request;
        request.command = end.cleanup_command;
        request.timeout = kCleanUpPatience;
        terminals_.run_errand(link_, std::move(request));
    }

    Terminals& terminals_;
    const RemoteLinkPtr link_;
    const TerminalWish wish_;
    const std::uint64_t number_;
    const TimePoint began_at_;
    SessionKind kind_ = SessionKind::shell;
};

Terminals::Terminals(Loop& loop, Log& log, const GatewayConfig& config, Counters& counters)
    : loop_(loop), log_(log), config_(config), counters_(counters), reaper_(loop), registry_(loop, {.sessions = config.max_connections, .of_user = config.max_connections_per_user}) {}

Terminals::~Terminals() = default;

std::unique_ptr<Terminals::Opening> Terminals::open(RemoteLinkPtr link, TerminalWish wish, OnOpen on_open) {
    return std::make_unique<Opening>(*this, std::move(link), std::move(wish), std::move(on_open));
}

std::vector<TerminalSession*> Terminals::waiting(const SessionHolder& holder) const {
    return config_.resume == ResumeUse::off ? std::vector<TerminalSession*>() : registry_.waiting(holder);
}

RemoteLinkPtr Terminals::link_of(const TerminalSession& session) const {
    const auto place = hosts_.find(&session);
    return place == hosts_.end() ? nullptr : place->second->link();
}

void Terminals::start(RemoteLinkPtr link, TerminalWish wish, std::unique_ptr<TerminalEngine> engine, std::string_view notice, const OnOpen& on_open) {
    TerminalSession::Settings settings;
    settings.detach_timeout = std::chrono::ceil<std::chrono::seconds>(config_.resume == ResumeUse::off ? std::chrono::milliseconds(0) : config_.detach_timeout);
    settings.scrollback_lines = config_.scrollback_lines;
    settings.escape_key = config_.escape_key;
    const TerminalSize size = wish.size;
    const SessionHolder holder = wish.holder;
    auto host = std::make_unique<Host>(*this, std::move(link), std::move(wish), ++started_);
    host->count(engine->traits().name == "mosh" ? SessionKind::mosh : SessionKind::shell);
    auto made = std::make_unique<TerminalSession>(loop_, settings, holder, std::move(engine), *host);
    TerminalSession& session = registry_.add(std::move(made));
    hosts_.emplace(&session, std::move(host));
    session.start(size, notice);
    on_open(session);
}

void Terminals::run_errand(const RemoteLinkPtr& link, RemoteCommand::Request request) {
    auto& place = errands_.emplace_back();
    place = std::make_unique<RemoteCommand>(loop_, link, std::move(request), [this, errand = &place](Result<RemoteCommand::Outcome>) {
        loop_.dispose(std::move(*errand));
        std::erase_if(errands_, [](const auto& each) { return !each; });
        look_whether_stopped();
    });
}

void Terminals::look_whether_stopped() {
    if (hosts_.empty() && errands_.empty() && stopped_) std::exchange(stopped_, nullptr)();
}

void Terminals::ended(Host& host, TerminalSession& session) {
    const auto place = hosts_.find(&session);
    if (place == hosts_.end() || place->second.get() != &host) return;
    registry_.remove(session);
    loop_.dispose(std::move(place->second));
    hosts_.erase(place);
    look_whether_stopped();
}

void Terminals::stop(std::function<void()> stopped) {
    stopped_ = std::move(stopped);
    std::vector<TerminalSession*> all;
    registry_.each([&](TerminalSession& session) { all.push_back(&session); });
    for (TerminalSession* const session : all) session->hang_up();
    look_whether_stopped();
}

std::vector<Snapshot::Line> Terminals::lines() const {
    std::vector<Snapshot::Line> lines;
    for (const auto& [session, host] : hosts_) {
        if (host->kind() != SessionKind::mosh) continue;
        const LinkState link = session->link();
        const auto seconds = [](Duration duration) { return std::chrono::duration<double>(duration).count(); };
        lines.push_back({.user = session->holder().user,
                         .session = host->number(),
                         .round_trip_seconds = link.round_trip ? seconds(*link.round_trip) : -1,
                         .silence_seconds = link.since_contact ? seconds(*link.since_contact) : -1,
                         .loss = link.loss.value_or(-1)});
    }
    return lines;
}

// ---------------------------------------------------------------- one that is being started

Terminals::Opening::Opening(Terminals& terminals, RemoteLinkPtr link, TerminalWish wish, OnOpen on_open)
    : terminals_(terminals), link_(std::move(link)), wish_(std::move(wish)), on_open_(std::move(on_open)), later_(terminals.loop_, [this] { look(); }) {
    if (terminals_.config_.mosh == MoshUse::automatic) start_mosh();
    else later_.start(Duration::zero());
}

void Terminals::Opening::start_mosh() {
    std::string octets = random_octets(8);
    nonce_ = to_hex(as_octets(octets));
    RemoteCommand::Request request;
    request.command = mosh_server_command({.environment = wish_.variables,
                                           .command = wish_.command,
                                           .network_timeout = std::chrono::ceil<std::chrono::seconds>(terminals_.config_.mosh_server_timeout),
                                           .program = terminals_.config_.mosh_server,
                                           .first_port = terminals_.config_.mosh_port_first,
                                           .last_port = terminals_.config_.mosh_port_last,
                                           .exit_nonce = nonce_});
    request.timeout = kStartPatience;
    request.agent = wish_.agent;
    request.taken = [this](Octets got) {
        answer_.feed(got);
        if (!answer_.server()) return;
        if (answer_.server()->pid) later_.start(Duration::zero());
        else if (!later_.running()) later_.start(kPidPatience);
    };
    command_ = std::make_unique<RemoteCommand>(terminals_.loop_, link_, std::move(request), [this](Result<RemoteCommand::Outcome> outcome) {
        std::optional<int> status;
        if (outcome && outcome->exit && outcome->exit->signal.empty()) status = static_cast<int>(outcome->exit->code);
        answer_.ended(status);
        later_.start(Duration::zero());
    });
}

void Terminals::Opening::look() {
    if (!on_open_) return;
    if (answer_.server()) return go_on_with_mosh();
    if (terminals_.config_.mosh != MoshUse::automatic) return fall_back("");
    const auto failure = answer_.failure().value_or(MoshServerFailure::failed);
    ++terminals_.counters_.mosh_fallbacks;
    terminals_.log_.info("gateway.mosh_failed", {{"user", wish_.holder.user}, {"reason", name_of(failure)}});
    fall_back(notice_of(failure));
}

void Terminals::Opening::go_on_with_mosh() {
    auto on_open = std::exchange(on_open_, nullptr);
    MoshSettings settings;
    settings.prediction = of_mosh(terminals_.config_.prediction);
    settings.contact_timeout = terminals_.config_.mosh_patience;
    const MoshServer& server = *answer_.server();
    // Where the SSH connection led: the name isn't looked up again, and can't have come to mean another machine.
    const auto address = link_->ready() ? SocketAddress::parse(link_->connection().peer_address().ip(), server.port) : Result<SocketAddress>(fail(Errc::unreachable));
    if (!address) {
        on_open_ = std::move(on_open);
        return fall_back("the connection to the remote host was lost");
    }
    MoshStart start{.remote = *address, .server = server, .exit_nonce = nonce_, .term = wish_.term};
    auto engine = make_mosh_engine(terminals_.loop_, terminals_.reaper_, settings, std::move(start));
    terminals_.start(link_, std::move(wish_), std::move(engine), "", on_open);
}

void Terminals::Opening::fall_back(std::string_view notice) {
    const auto on_open = std::exchange(on_open_, nullptr);
    auto engine = make_ssh_engine(terminals_.loop_, link_, over_ssh(wish_));
    terminals_.start(link_, std::move(wish_), std::move(engine), notice, on_open);
}

}  // namespace sallyport::gateway
