#include "agent/agent.h"

#include <algorithm>

#include "agent/attempt_pace.h"
#include "base/random.h"
#include "base/version.h"

namespace sallyport {
namespace {

// In a hurry: while a session waits, its connection is silent, or a relay that drained is expected back.
constexpr std::chrono::milliseconds kAttemptEvery{1000};  // ±20 %
constexpr std::chrono::milliseconds kAtOnceEvery{200};    // connections that are cut as soon as they are there
constexpr std::size_t kMostAttempts = 4;  // side by side; older ones have lost their first packets
// All agents of a relay hear of its drain in one moment; they come within this, well inside offline_grace.
constexpr std::chrono::milliseconds kDrainSpread{500};

double unpredictable() {
    std::uint32_t bits = 0;
    fill_random(std::as_writable_bytes(std::span(&bits, 1)));
    return static_cast<double>(bits) / 4294967296.0;
}

auto seconds_since(TimePoint now, TimePoint then) {
    return std::chrono::duration_cast<std::chrono::seconds>(now - then).count();
}

std::chrono::milliseconds part_of(std::chrono::milliseconds whole, double part) {
    return std::chrono::milliseconds(
        static_cast<std::chrono::milliseconds::rep>(static_cast<double>(whole.count()) * part));
}

// The answer takes a round trip and the relay's work; TCP and TLS, which took so long, two round trips.
Duration patience_with_answer(Duration opening) {
    return std::clamp<Duration>(2 * opening, std::chrono::milliseconds(500), std::chrono::seconds(10));
}

}  // namespace

Agent::Agent(Loop& loop, Workers& workers, Log& log, AgentSetup setup, AgentObserver* observer)
    : loop_(loop),
      workers_(workers),
      log_(log),
      setup_(std::move(setup)),
      observer_(observer),
      failures_(log, setup_.relay.url.text()),
      trust_(workers, log, setup_.state),
      scout_(
          loop, workers, trust_, log, setup_.targets, [this] { send_targets(); }, TargetScout::Pace{}),
      streams_(loop, workers, log, setup_.targets, trust_, scout_, setup_.origin,
               [this] {
                   if (stopping_) stop_if_idle();
               }),
      back_off_(setup_.reconnect_base, setup_.reconnect_max),
      redial_(loop, [this] { dial(); }),
      patience_(loop, [this] {
          for_each_tunnel([](RelayTunnel& tunnel) { tunnel.close({Errc::end_of_stream, "agent stopped"}); });
      }) {}

Agent::~Agent() {
    if (keeping_) *keeping_ = nullptr;
}

Result<> Agent::load() { return trust_.load(); }

void Agent::start() { dial(); }

double Agent::random() const { return setup_.random ? setup_.random() : unpredictable(); }

// ---- the way to the relay

bool Agent::in_a_hurry() const { return current_ || loop_.now() < hurry_until_; }

void Agent::dial() {
    if (stopping_) return;
    if (!in_a_hurry()) {
        if (dialling_.empty()) begin_attempt();
        return;
    }
    if (current_ && current_->connected() && !current_->is_silent()) return drop_attempts();
    if (!is_worth_waiting()) begin_attempt();
    dial_again_in(until_next_attempt());
}

bool Agent::is_worth_waiting() {
    const auto waits = [this](const Attempt& attempt) {
        return loop_.now() - attempt.began < attempt_patience(attempt.dialler->stage(), dialling_.size());
    };
    if (std::ranges::none_of(dialling_, waits)) return false;
    // Behind one that the relay has, those that have got nowhere would only ask it for the same a second time.
    const auto arrived = [](const Attempt& attempt) { return attempt.dialler->stage() == AttemptStage::acknowledged; };
    if (std::ranges::any_of(dialling_, arrived)) drop_unreached();
    return true;
}

void Agent::drop_unreached() {
    std::erase_if(dialling_, [this](Attempt& attempt) {
        if (attempt.dialler->reached()) return false;
        loop_.dispose(std::move(attempt.dialler));
        return true;
    });
}

void Agent::begin_attempt() {
    if (dialling_.size() >= kMostAttempts) {
        // The oldest that has not got through; on a line so slow that all have, they are what to wait for.
        const auto oldest = std::ranges::find_if(dialling_, [](const Attempt& attempt) { return !attempt.dialler->reached(); });
        if (oldest == dialling_.end()) return;
        loop_.dispose(std::move(oldest->dialler));
        dialling_.erase(oldest);
    }
    ++attempts_;
    attempted_at_ = loop_.now();
    const std::uint64_t number = ++attempt_number_;
    dialling_.push_back(
        {number, loop_.now(),
         std::make_unique<RelayDialler>(
             loop_, workers_, setup_.relay, setup_.dial, [this, number] { return ask_session(number); },
             [this, number](std::expected<OpenedConnection, DialFailure> result) { on_dialled(number, std::move(result)); }),
         {}});
}

// The relay goes over to whoever asks last. So one asks at a time: where an answer takes longer than the next attempt, each would
// take the session from the one before, and none would keep it.
Result<SessionState> Agent::ask_session(std::uint64_t number) {
    Attempt* asking = nullptr;
    for (Attempt& attempt : dialling_) {
        if (attempt.number == number) asking = &attempt;
        else if (attempt.asked && loop_.now() - *attempt.asked < patience_with_answer(*attempt.asked - attempt.began))
            return fail(Errc::conflict, "another attempt has asked before");
    }
    Result<SessionState> session = current_ ? current_->give_up_connection() : SessionState{};
    if (session && asking) asking->asked = loop_.now();
    return session;
}

void Agent::on_dialled(std::uint64_t number, std::expected<OpenedConnection, DialFailure> result) {
    const auto attempt = std::ranges::find(dialling_, number, &Attempt::number);
    if (attempt == dialling_.end()) return;  // dropped in this turn of the loop, and heard of its own end all the same
    loop_.dispose(std::move(attempt->dialler));
    dialling_.erase(attempt);
    if (!result) return on_dial_failed(result.error());
    drop_attempts();
    hurry_until_ = {};
    if (setup_.relay.enrolment) finish_enrolment();
    if (current_ && result->session.id == current_->session()) return resume_session(std::move(*result));
    if (current_) {
        current_->close({Errc::reset, "the relay began a new session"});
        retired_.push_back(std::move(current_));  // reports its end in this turn
    }
    begin_session(std::move(*result));
}

void Agent::drop_attempts() {
    redial_.cancel();
    for (Attempt& attempt : dialling_) loop_.dispose(std::move(attempt.dialler));
    dialling_.clear();
}

void Agent::dial_again_in(std::chrono::milliseconds delay) {
    if (!stopping_) redial_.start(delay);
}

std::chrono::milliseconds Agent::until_next_attempt() const {
    return part_of(kAttemptEvery, 0.8 + 0.4 * random());
}

void Agent::dial_at_once() {
    const Duration since_attempt = loop_.now() - attempted_at_;
    dial_again_in(std::chrono::ceil<std::chrono::milliseconds>(
        std::max<Duration>(kAtOnceEvery - since_attempt, Duration::zero())));
}

void Agent::on_dial_failed(const DialFailure& failure) {
    log_.debug("agent.dial_failed", {{"cause", name_of(failure.kind)}, {"reason", failure.reason}});
    const bool network = failure.kind == DialFailure::Kind::network;
    if (current_) {
        if (current_->connected() || network) return;  // the next one is due anyway
        failures_.tell(failure, attempts_, loop_.now());
        // A relay in trouble still has the session, most likely; somebody else who answers at its address may be gone soon.
        if (!failure.is_refusal()) {
            const auto delay = until_next_attempt() + back_off_.next(random());
            return dial_again_in(std::max<std::chrono::milliseconds>(delay, failure.retry_after));
        }
        drop_attempts();
        refused_ = failure.needs_person();
        return current_->close({Errc::refused, failure.reason});
    }
    // The process that drains may still be the one that answers, and say that it has no place, or that we are there already.
    if (in_a_hurry() && !failure.needs_person()) {
        if (!network) dial_again_in(std::max<std::chrono::milliseconds>(until_next_attempt(), failure.retry_after));
        return;
    }
    hurry_until_ = {};
    failures_.tell(failure, attempts_, loop_.now());
    if (!dialling_.empty()) return;  // begun in a hurry: the last of them decides
    const auto delay = failure.needs_person() ? back_off_.next_after_refusal(random()) : back_off_.next(random());
    dial_again_in(std::max<std::chrono::milliseconds>(delay, failure.retry_after));
}

void Agent::check_network(std::string_view why) {
    if (stopping_) return;
    log_.debug("agent.network_changed", {{"why", why}});
    for_each_tunnel([](RelayTunnel& tunnel) { tunnel.check(); });
    if (current_ && current_->connected()) return;
    back_off_.reset();
    drop_unreached();  // they may be on a way that is gone
    if (!dialling_.empty()) return;
    dial_at_once();
}

// ---- sessions

void Agent::finish_enrolment() {
    setup_.relay.enrolment.reset();
    log_.info("agent.enrolled", {{"relay", setup_.relay.url.text()}});
    if (!setup_.keep_enrolment) return;
    keeping_ = std::make_shared<Agent*>(this);
    const Result<> submitted =
        workers_.submit([keep = std::exchange(setup_.keep_enrolment, nullptr), &loop = loop_, handle = keeping_] {
            keep();
            loop.post([handle] {
                if (!*handle) return;
                Agent& agent = **handle;
                agent.keeping_.reset();
                agent.tell();
            });
        });
    if (submitted) return;
    keeping_.reset();
    log_.error("agent.state_not_written", {{"reason", submitted.error().detail}});
}

void Agent::begin_session(OpenedConnection connection) {
    announced_ = false;
    current_ = std::make_unique<RelayTunnel>(loop_, std::move(connection), setup_.tunnel,
                                             static_cast<RelayTunnel::Owner&>(*this));
}

void Agent::resume_session(OpenedConnection connection) {
    const auto away = std::chrono::duration_cast<std::chrono::milliseconds>(loop_.now() - current_->lost_at());
    const Result<> resumed = current_->resume(std::move(connection));
    if (!resumed || !current_->connected()) return;  // reported by the tunnel
    attempts_ = 0;
    failures_.forget();
    if (!announced_) return;
    log_.info("agent.connected", {{"relay", setup_.relay.url.text()},
                                  {"address", current_->peer_address().text()},
                                  {"session", "resumed"},
                                  {"away_ms", away.count()}});
}

// Streams stay where they are; the process that drains ends them, or the deadline does.
void Agent::retire_current(std::chrono::milliseconds deadline) {
    drop_attempts();
    current_->retire(deadline);
    retired_.push_back(std::move(current_));
    if (retired_.size() > kMostRetired) retired_.front()->close({Errc::no_space, "too many relays drain at once"});
    hurry_until_ = loop_.now() + setup_.tunnel.resume_window;
    dial_again_in(part_of(kDrainSpread, random()));
}

// What people are told waits until it is true for the next start, too.
void Agent::tell() {
    if (!current_ || !current_->confirmed() || keeping_) return;
    if (!std::exchange(announced_, true)) {
        log_.info("agent.connected",
                  {{"relay", setup_.relay.url.text()}, {"address", current_->peer_address().text()}});
        if (observer_) observer_->on_agent_connected(setup_.relay.url);
    }
    if (std::exchange(routes_told_, true)) return;
    for (const RouteNotice& route : routes_) log_.info("agent.route", {{"url", route.url}, {"target", route.target}});
    if (observer_) observer_->on_agent_routes(routes_);
}

// ---- what a tunnel says

HelloMessage Agent::make_hello() {
    // What was found out may be out of date by now.
    scout_.begin_anew();
    HelloMessage hello;
    hello.version = kVersion;
    hello.concurrency_limit = setup_.concurrency_limit;
    hello.request_timeout = setup_.request_timeout;
    hello.targets = scout_.reports();
    return hello;
}

// Called before the message that confirms is.
void Agent::on_relay_confirmed(RelayTunnel&) {
    attempts_ = 0;
    failures_.forget();
}

void Agent::on_relay_message(RelayTunnel& tunnel, ControlMessage message) {
    const bool current = &tunnel == current_.get();
    if (auto* routes = std::get_if<RoutesMessage>(&message)) {
        if (current) on_routes(std::move(routes->routes));
    } else if (const auto* drain = std::get_if<DrainMessage>(&message)) {
        if (!current || stopping_) return;
        log_.info("agent.relay_drains", {{"reason", drain->reason}, {"deadline_ms", drain->deadline.count()}});
        retire_current(drain->deadline);
    } else if (const auto* rotated = std::get_if<RotatedMessage>(&message)) {
        log_.warn("agent.credential_rotated",
                  {{"reason", rotated->reason},
                   {"deadline_ms", rotated->deadline.count()},
                   {"advice", "what this agent proves itself with works until then; stop it and start it with --enroll "
                              "and the new code"}});
    } else if (const auto* unknown = std::get_if<UnknownMessage>(&message)) {
        if (unknown->kind == "probe") return scout_.look_again();
        log_.debug("agent.control_unknown", {{"kind", unknown->kind}});
    }
}

void Agent::on_relay_message_malformed(const Error& error) {
    log_.warn("agent.control_malformed", {{"reason", error.detail}});
}

void Agent::on_routes(std::vector<RouteNotice> routes) {
    if (routes != routes_) routes_told_ = false;
    routes_ = std::move(routes);
    tell();
    std::vector<std::string> names;
    for (const RouteNotice& route : routes_) names.push_back(route.target);
    scout_.look_at(names);
}

void Agent::send_targets() {
    for_each_tunnel([this](RelayTunnel& tunnel) {
        if (tunnel.ready()) tunnel.send(TargetsMessage{scout_.reports()});
    });
}

void Agent::on_relay_stream(OpenRequest request, std::unique_ptr<IncomingStream> stream) {
    streams_.serve(std::move(request), std::move(stream));
}

void Agent::on_relay_silent(RelayTunnel& tunnel) {
    if (&tunnel != current_.get() || redial_.running() || stopping_) return;
    log_.debug("agent.silence", {{"relay", setup_.relay.url.text()}});
    dial();
}

void Agent::on_relay_lost(RelayTunnel& tunnel, const Error& reason) {
    if (stopping_) return tunnel.close({Errc::end_of_stream, "agent stopped"});
    log_.warn("agent.disconnected", {{"reason", name_of(reason.code)},
                                     {"detail", reason.detail},
                                     {"age_s", seconds_since(loop_.now(), tunnel.began_at())},
                                     {"session", "waits"}});
    if (!dialling_.empty()) return;  // begun when it fell silent
    dial_at_once();
}

void Agent::on_relay_closed(RelayTunnel& tunnel, const Error& reason) {
    if (&tunnel != current_.get()) return on_retired_closed(tunnel, reason);
    const bool confirmed = tunnel.confirmed();
    const auto age = loop_.now() - tunnel.began_at();
    const auto age_s = std::chrono::duration_cast<std::chrono::seconds>(age).count();
    drop_attempts();
    loop_.dispose(std::move(current_));
    if (confirmed) back_off_.connection_lasted(age);
    if (stopping_) {
        log_.info("agent.disconnected", {{"reason", "stopped"}, {"age_s", age_s}});
        return stopped();
    }
    const bool refused = std::exchange(refused_, false);
    if (confirmed)
        log_.warn("agent.disconnected", {{"reason", name_of(reason.code)}, {"detail", reason.detail}, {"age_s", age_s}});
    else if (!refused)
        failures_.tell({DialFailure::Kind::relay_trouble, reason.detail, {}, {}}, attempts_, loop_.now());
    dial_again_in(refused ? back_off_.next_after_refusal(random()) : back_off_.next(random()));
}

void Agent::on_retired_closed(const RelayTunnel& tunnel, const Error& reason) {
    const LogLevel level = tunnel.retired() ? LogLevel::info : LogLevel::warn;
    if (log_.enabled(level))
        log_.write(level, "agent.disconnected",
                   {{"reason", name_of(reason.code)},
                    {"detail", reason.detail},
                    {"age_s", seconds_since(loop_.now(), tunnel.began_at())},
                    {"session", tunnel.retired() ? "drained" : "replaced"}});
    const auto place = std::ranges::find(retired_, &tunnel, &TunnelPtr::get);
    loop_.dispose(std::move(*place));
    retired_.erase(place);
    if (stopping_) stopped();
}

// ---- the end

void Agent::stop(std::chrono::milliseconds patience, std::function<void()> stopped_call) {
    if (stopped_call) stopped_ = std::move(stopped_call);
    if (!stopping_) {
        stopping_ = true;
        drop_attempts();
        streams_.refuse_new();
        bool anybody = false;  // to wait for
        for_each_tunnel([&](RelayTunnel& tunnel) {
            anybody |= tunnel.connected();
            if (tunnel.ready()) tunnel.send(DrainMessage{"agent stops", patience});
        });
        if (!anybody) patience = std::chrono::milliseconds(0);
    }
    if (!current_ && retired_.empty()) return stopped();
    patience_.start(patience);
    stop_if_idle();
}

void Agent::stop_if_idle() {
    if (streams_.open_streams() == 0) patience_.start(Duration::zero());
}

void Agent::stopped() {
    if (current_ || !retired_.empty()) return;
    patience_.cancel();
    if (auto call = std::exchange(stopped_, nullptr)) call();
}

}  // namespace sallyport
