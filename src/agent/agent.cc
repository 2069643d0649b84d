#include "agent/agent.h"

#include <algorithm>
#include <cstring>

#include "agent/proxy_refusal.h"
#include "base/random.h"
#include "base/version.h"

namespace sallyport {
namespace {

constexpr std::chrono::minutes kSayAgain{10};  // a failure that lasts is told this often
constexpr std::size_t kMaxTargetName = 256;
constexpr std::size_t kMaxWarnedOf = 256;

// While a session waits for a connection.
constexpr std::chrono::milliseconds kAttemptEvery{1000};  // ±20 %
constexpr std::chrono::milliseconds kAtOnceEvery{200};    // connections that are cut as soon as they are there
// An attempt that has got through to the relay gets this long before another runs beside it, and with each one longer. A
// relay that comes back and shakes hands with thousands is slow; more attempts would make it slower.
constexpr std::chrono::milliseconds kReachedPatience{3000};
constexpr std::size_t kMostAttempts = 4;  // side by side; older ones have lost their first packets
constexpr std::chrono::milliseconds kSilence{1000};

double unpredictable() {
    std::uint32_t bits = 0;
    fill_random(std::as_writable_bytes(std::span(&bits, 1)));
    return static_cast<double>(bits) / 4294967296.0;
}

auto seconds_since(TimePoint now, TimePoint then) {
    return std::chrono::duration_cast<std::chrono::seconds>(now - then).count();
}

std::string url_text(const RelayEndpoint& relay) { return relay.url.text(); }

}  // namespace

// One stream and what it is waiting for.
struct Agent::Serving {
    std::string target;
    std::unique_ptr<OriginPipe> connection;
    std::unique_ptr<OriginDialler> dialler;
    std::shared_ptr<Serving*> handle;  // null inside once the stream is over: the scout may answer later
};

Agent::Agent(Loop& loop, Workers& workers, Log& log, AgentSetup setup, AgentObserver* observer)
    : loop_(loop),
      workers_(workers),
      log_(log),
      setup_(std::move(setup)),
      observer_(observer),
      trust_(workers, log, setup_.state),
      scout_(
          loop, workers, trust_, log, setup_.targets, [this] { send_targets(); }, TargetScout::Pace{}),
      back_off_(setup_.reconnect_base, setup_.reconnect_max),
      redial_(loop, [this] { dial(); }),
      patience_(loop,
                [this] {
                    if (tunnel_) tunnel_->close({Errc::end_of_stream, "agent stopped"});
                }),
      silence_(loop, [this] { look_for_silence(); }) {}

Agent::~Agent() {
    for (auto& [connection, serving] : serving_) *serving->handle = nullptr;
}

Result<> Agent::load() { return trust_.load(); }

void Agent::start() { dial(); }

double Agent::random() const { return setup_.random ? setup_.random() : unpredictable(); }

// ---- the way to the relay

// Without a session one attempt at a time, each after the back-off. With one that waits, or whose connection is silent, a
// fresh one each second beside those that are still under way.
void Agent::dial() {
    if (stopping_) return;
    if (!tunnel_) {
        if (dialling_.empty()) begin_attempt();
        return;
    }
    if (tunnel_->connected() && !is_silent()) return drop_attempts();
    const bool wait = !dialling_.empty() && dialling_.back().dialler->reached() &&
                      loop_.now() - attempted_at_ < kReachedPatience * dialling_.size();
    if (!wait) begin_attempt();
    dial_again_in(until_next_attempt());
}

void Agent::begin_attempt() {
    ++attempts_;
    attempted_at_ = loop_.now();
    if (dialling_.size() >= kMostAttempts) {
        loop_.dispose(std::move(dialling_.front().dialler));
        dialling_.pop_front();
    }
    const std::uint64_t number = ++attempt_number_;
    dialling_.push_back(
        {number, std::make_unique<RelayDialler>(
                     loop_, workers_, setup_.relay, setup_.dial, [this] { return ask_session(); },
                     [this, number](std::expected<OpenedConnection, DialFailure> result) {
                         on_dialled(number, std::move(result));
                     })});
}

// From here on the old connection, silent as it is, is given up: what it might still bring would not be counted.
Result<SessionState> Agent::ask_session() {
    if (!tunnel_) return SessionState{};
    if (tunnel_->connected()) {
        if (!is_silent()) return fail(Errc::conflict, "the old connection is alive again");
        const ByteCount received = tunnel_->freeze();
        on_connection_lost({Errc::timeout, "silent, and a new connection works"});
        return SessionState{session_, received};
    }
    return SessionState{session_, tunnel_->freeze()};
}

void Agent::on_dialled(std::uint64_t number, std::expected<OpenedConnection, DialFailure> result) {
    const auto attempt = std::ranges::find(dialling_, number, &Attempt::number);
    if (attempt == dialling_.end()) return;  // dropped in this turn of the loop, and heard of its own end all the same
    loop_.dispose(std::move(attempt->dialler));
    dialling_.erase(attempt);
    if (!result) return on_dial_failed(result.error());
    drop_attempts();
    if (setup_.relay.enrolment) finish_enrolment();
    if (!tunnel_) return begin_session(std::move(*result));
    if (result->session.id == session_) return resume_session(std::move(*result));
    // The relay doesn't have the session any more.
    instead_ = std::move(*result);
    tunnel_->close({Errc::reset, "the relay began a new session"});
}

void Agent::drop_attempts() {
    redial_.cancel();
    for (Attempt& attempt : dialling_) loop_.dispose(std::move(attempt.dialler));
    dialling_.clear();
}

void Agent::begin_session(OpenedConnection connection) {
    session_ = std::move(connection.session.id);
    connected_at_ = loop_.now();
    tunnel_ = Tunnel::make(loop_, TunnelRole::agent, std::move(connection.transport), std::move(connection.received),
                           setup_.tunnel, *this);
    if (can_resume()) silence_.start(kSilence);
}

void Agent::resume_session(OpenedConnection connection) {
    const auto away = std::chrono::duration_cast<std::chrono::milliseconds>(loop_.now() - lost_at_);
    const Result<> resumed = tunnel_->resume(std::move(connection.transport), std::move(connection.received),
                                             connection.session.received);
    if (!resumed || !tunnel_->connected()) return;  // reported by the tunnel
    attempts_ = 0;
    last_failure_.clear();
    silence_.start(kSilence);
    log_.info("agent.connected", {{"relay", url_text(setup_.relay)},
                                  {"address", tunnel_->peer_address().text()},
                                  {"session", "resumed"},
                                  {"away_ms", away.count()}});
}

// ---- a connection that is lost, or silent

Duration Agent::patience_with_silence() const {
    return std::max<Duration>(kSilence, 4 * tunnel_->round_trip());
}

bool Agent::is_silent() const {
    const auto since = tunnel_->waiting_since();
    return since && Clock::now() - *since >= patience_with_silence();
}

// Looks when the patience with what is unanswered ends; with nothing unanswered often enough not to be late for what comes next.
void Agent::look_for_silence() {
    if (!tunnel_ || !tunnel_->connected() || stopping_) return;
    silence_.start(kSilence);
    if (!redial_.running() && is_silent()) {
        log_.debug("agent.silence", {{"relay", url_text(setup_.relay)}});
        return dial();
    }
    if (const auto since = tunnel_->waiting_since(); since && !redial_.running())
        silence_.start(std::max<Duration>(*since + patience_with_silence() - Clock::now(), std::chrono::milliseconds(1)));
}

void Agent::on_connection_lost(const Error& reason) {
    lost_at_ = loop_.now();
    silence_.cancel();
    if (stopping_) return tunnel_->close({Errc::end_of_stream, "agent stopped"});
    log_.warn("agent.disconnected", {{"reason", name_of(reason.code)},
                                     {"detail", reason.detail},
                                     {"age_s", seconds_since(loop_.now(), connected_at_)},
                                     {"session", "waits"}});
    if (!dialling_.empty()) return;  // begun when it fell silent
    const auto since_attempt = loop_.now() - attempted_at_;
    const auto delay = since_attempt < kAtOnceEvery ? kAtOnceEvery - since_attempt : Duration::zero();
    dial_again_in(std::chrono::ceil<std::chrono::milliseconds>(delay));
}

std::chrono::milliseconds Agent::until_next_attempt() const {
    const double factor = 0.8 + 0.4 * random();
    return std::chrono::milliseconds(static_cast<std::chrono::milliseconds::rep>(kAttemptEvery.count() * factor));
}

void Agent::finish_enrolment() {
    setup_.relay.enrolment.reset();
    log_.info("agent.enrolled", {{"relay", url_text(setup_.relay)}});
    if (!setup_.keep_enrolment) return;
    if (const Result<> submitted = workers_.submit(std::exchange(setup_.keep_enrolment, nullptr)); !submitted)
        log_.error("agent.state_not_written", {{"reason", submitted.error().detail}});
}

void Agent::on_dial_failed(const DialFailure& failure) {
    using Kind = DialFailure::Kind;
    if (tunnel_) {
        log_.debug("agent.dial_failed", {{"cause", name_of(failure.kind)}, {"reason", failure.reason}});
        if (tunnel_->connected() || failure.kind == Kind::network) return;  // the next one is due anyway
        tell_of_failure(failure);
        // A relay in trouble still has the session, most likely; somebody else who answers at its address may be gone soon.
        if (!failure.is_refusal()) {
            const auto delay = until_next_attempt() + back_off_.next(random());
            return dial_again_in(std::max<std::chrono::milliseconds>(delay, failure.retry_after));
        }
        drop_attempts();
        refused_ = failure.needs_person();
        return tunnel_->close({Errc::refused, failure.reason});
    }
    auto delay = failure.needs_person() ? back_off_.next_after_refusal(random()) : back_off_.next(random());
    delay = std::max<std::chrono::milliseconds>(delay, failure.retry_after);
    tell_of_failure(failure);
    log_.debug("agent.dial_failed",
               {{"cause", name_of(failure.kind)}, {"reason", failure.reason}, {"retry_in_ms", delay.count()}});
    dial_again_in(delay);
}

void Agent::tell_of_failure(const DialFailure& failure) {
    const bool told = failure.reason == last_failure_ && loop_.now() - last_failure_at_ < kSayAgain;
    if (!told) {
        last_failure_ = failure.reason;
        last_failure_at_ = loop_.now();
        const LogLevel level = failure.needs_person() ? LogLevel::error : LogLevel::warn;
        if (log_.enabled(level)) {
            log_.write(level, "agent.not_connected",
                       {{"relay", url_text(setup_.relay)},
                        {"cause", name_of(failure.kind)},
                        {"reason", failure.reason},
                        {"advice", failure.advice.empty() ? "it goes on trying" : failure.advice},
                        {"attempts", attempts_}});
        }
    }
}

void Agent::dial_again_in(std::chrono::milliseconds delay) {
    if (!stopping_) redial_.start(delay);
}

// ---- the tunnel

void Agent::on_tunnel_ready() {
    ready_ = true;
    attempts_ = 0;
    last_failure_.clear();
    HelloMessage hello;
    hello.version = kVersion;
    hello.concurrency_limit = setup_.concurrency_limit;
    hello.request_timeout = setup_.request_timeout;
    hello.targets = scout_.reports();
    std::string line = format_control_message(hello);
    line.pop_back();
    tunnel_->send_control(line);
    log_.info("agent.connected", {{"relay", url_text(setup_.relay)}, {"address", tunnel_->peer_address().text()}});
    if (observer_) observer_->on_agent_connected(setup_.relay.url);
    scout_.begin_anew();
}

void Agent::on_tunnel_control(std::string_view line) {
    auto message = parse_control_message(line);
    if (!message) return log_.warn("agent.control_malformed", {{"reason", message.error().detail}});
    if (auto* routes = std::get_if<RoutesMessage>(&*message)) return on_routes(std::move(routes->routes));
    if (const auto* drain = std::get_if<DrainMessage>(&*message))
        return log_.info("agent.relay_drains", {{"reason", drain->reason}, {"deadline_ms", drain->deadline.count()}});
    if (const auto* rotated = std::get_if<RotatedMessage>(&*message)) {
        return log_.warn("agent.credential_replaced", {{"reason", rotated->reason},
                                                       {"deadline_ms", rotated->deadline.count()},
                                                       {"advice", "start with --enroll and the new code"}});
    }
    if (const auto* unknown = std::get_if<UnknownMessage>(&*message)) {
        if (unknown->kind == "probe") return scout_.look_again();
        log_.debug("agent.control_unknown", {{"kind", unknown->kind}});
    }
}

void Agent::on_routes(std::vector<RouteNotice> routes) {
    const bool changed = routes != routes_;
    routes_ = std::move(routes);
    std::vector<std::string> names;
    for (const RouteNotice& route : routes_) {
        names.push_back(route.target);
        if (changed) log_.info("agent.route", {{"url", route.url}, {"target", route.target}});
    }
    if (changed && observer_) observer_->on_agent_routes(routes_);
    scout_.look_at(names);
}

void Agent::send_targets() {
    if (!ready_) return;
    std::string line = format_control_message(TargetsMessage{scout_.reports()});
    line.pop_back();
    tunnel_->send_control(line);
}

void Agent::on_tunnel_closed(const Error& reason) {
    const bool was_ready = std::exchange(ready_, false);
    const bool stable = was_ready && loop_.now() - connected_at_ >= BackOff::kStable;
    const auto age = seconds_since(loop_.now(), connected_at_);
    silence_.cancel();
    if (!instead_) drop_attempts();
    loop_.dispose(std::move(tunnel_));
    if (stable) back_off_.reset();
    if (stopping_) {
        instead_.reset();
        log_.info("agent.disconnected", {{"reason", "stopped"}, {"age_s", age}});
        return stopped();
    }
    log_.warn("agent.disconnected", {{"reason", name_of(reason.code)}, {"detail", reason.detail}, {"age_s", age}});
    if (instead_) return begin_session(*std::exchange(instead_, std::nullopt));
    dial_again_in(std::exchange(refused_, false) ? back_off_.next_after_refusal(random()) : back_off_.next(random()));
}

// ---- streams

void Agent::on_tunnel_stream(OpenRequest request, std::unique_ptr<IncomingStream> stream) {
    auto found = request.target.size() <= kMaxTargetName ? setup_.targets.find(request.target)
                                                         : Result<Target>(fail(Errc::refused, "target name too long"));
    auto serving = std::make_unique<Serving>();
    serving->target = request.target;
    serving->connection =
        std::make_unique<OriginPipe>(loop_, std::move(stream), [this](OriginPipe& over) { end(over); });
    serving->handle = std::make_shared<Serving*>(serving.get());
    Serving& here = *serving;
    serving_.emplace(here.connection.get(), std::move(serving));
    if (!found) {
        warn_of_unknown_target(here.target, found.error());
        return refuse(here, make_refusal(ProxyError::http_request_denied, found.error().detail));
    }
    if (stopping_) return refuse(here, make_refusal(ProxyError::destination_unavailable, "the agent is stopping"));
    scout_.prepare(*found, [this, handle = here.handle](std::expected<Target, Refusal> target) {
        serve(handle, std::move(target));
    });
}

void Agent::serve(const std::shared_ptr<Serving*>& handle, std::expected<Target, Refusal> target) {
    if (!*handle) return;
    Serving& serving = **handle;
    if (!target) return refuse(serving, target.error());
    serving.dialler = std::make_unique<OriginDialler>(
        loop_, workers_, trust_, std::move(*target), setup_.origin,
        [this, &serving](std::expected<TransportPtr, Refusal> origin) { on_origin(serving, std::move(origin)); });
}

void Agent::on_origin(Serving& serving, std::expected<TransportPtr, Refusal> origin) {
    loop_.dispose(std::move(serving.dialler));
    if (origin) return serving.connection->connected(std::move(*origin));
    scout_.forget(serving.target);
    refuse(serving, origin.error());
}

void Agent::refuse(Serving& serving, const Refusal& refusal) {
    log_.debug("agent.stream_refused", {{"target", serving.target},
                                        {"status", refusal.status},
                                        {"cause", refusal.cause},
                                        {"reason", refusal.details}});
    serving.connection->refuse(refusal);
}

void Agent::warn_of_unknown_target(std::string_view name, const Error& why) {
    if (warned_of_.size() >= kMaxWarnedOf) warned_of_.clear();
    TimePoint& told = warned_of_.try_emplace(std::string(name.substr(0, kMaxTargetName))).first->second;
    if (told != TimePoint{} && loop_.now() - told < kSayAgain) return;
    told = loop_.now();
    log_.warn("agent.target_refused", {{"target", name.substr(0, kMaxTargetName)}, {"advice", why.detail}});
}

// Called out of the connection's own callbacks, so it dies at the end of the turn.
void Agent::end(OriginPipe& connection) {
    auto found = serving_.extract(&connection);
    if (found.empty()) return;
    *found.mapped()->handle = nullptr;
    loop_.dispose(std::move(found.mapped()));
    if (stopping_) stop_if_idle();
}

// ---- the end

void Agent::stop(std::chrono::milliseconds patience, std::function<void()> stopped_call) {
    if (stopped_call) stopped_ = std::move(stopped_call);
    if (!stopping_) {
        stopping_ = true;
        drop_attempts();
        if (!tunnel_) return stopped();
        if (!tunnel_->connected()) patience = std::chrono::milliseconds(0);  // nobody is there to wait for
        if (ready_) {
            std::string line = format_control_message(DrainMessage{"agent stops", patience});
            line.pop_back();
            tunnel_->send_control(line);
        }
    }
    patience_.start(patience);
    stop_if_idle();
}

void Agent::stop_if_idle() {
    if (serving_.empty() && tunnel_) patience_.start(Duration::zero());
}

void Agent::stopped() {
    patience_.cancel();
    if (auto call = std::exchange(stopped_, nullptr)) call();
}

}  // namespace sallyport
