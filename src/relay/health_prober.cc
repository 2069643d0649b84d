#include "relay/health_prober.h"

#include <algorithm>
#include <span>

#include "base/random.h"
#include "base/version.h"
#include "edge/problem.h"
#include "wire/http1_writer.h"

namespace sallyport::relay {
namespace {

using namespace std::chrono_literals;

constexpr int kBurst = 16;  // so many probes may begin together; then the rate counts

std::uint32_t seed() {
    std::uint32_t bits = 0;
    fill_random(std::as_writable_bytes(std::span(&bits, 1)));
    return bits;
}

}  // namespace

struct HealthProber::Spot {
    Watched& watched;
    std::string target;
    std::string path;
    std::string only_route{};  // where routes with one target may be several services
    std::string host{};
    std::vector<std::pair<std::string, std::string>> routes{};  // id, label
    RouteHealth health{};
    std::unique_ptr<TargetProbe> probe{};
    bool ask_path = true;  // false: it needs a login
    bool scheduled = false;
    TimePoint due{};
};

struct HealthProber::Watched {
    std::string agent_id;
    std::string name{};
    bool online = false;
    bool routes_apart = false;
    WallTime away_since{};
    TimePoint away_at{};
    std::vector<std::unique_ptr<Spot>> spots{};
};

HealthProber::HealthProber(Loop& loop, Log& log, HealthBoard& board, Home home, double most_per_second)
    : loop_(loop),
      log_(log),
      board_(board),
      home_(std::move(home)),
      most_per_second_(most_per_second),
      random_(seed()),
      timer_(loop, [this] { run(); }) {}

HealthProber::~HealthProber() = default;

void HealthProber::set_interval(std::chrono::milliseconds interval) {
    if (interval_ == interval) return;
    interval_ = interval;
    for (const auto& [id, watched] : watched_)
        for (const auto& spot : watched->spots)
            if (watched->online && !spot->probe) look_again_after(*spot);
}

std::vector<std::string> HealthProber::known() const {
    std::vector<std::string> ids;
    for (const auto& [id, watched] : watched_) ids.push_back(id);
    return ids;
}

// ---- what the loop's agents do

void HealthProber::on_online(const std::string& agent_id, const std::string& name, bool routes_apart) {
    auto& watched = watched_[agent_id];
    if (!watched) watched = std::make_unique<Watched>(Watched{.agent_id = agent_id});
    watched->name = name;
    watched->routes_apart = routes_apart;
    if (std::exchange(watched->online, true)) return;
    board_.set_online(agent_id, true);
    online_spots_ += watched->spots.size();
    const bool back_in_time = loop_.now() - watched->away_at < kAwayGrace;
    for (const auto& spot : watched->spots) {
        if (back_in_time && spot->health.state == RouteHealth::State::healthy) look_again_after(*spot);
        else schedule(*spot, loop_.now());
    }
}

void HealthProber::on_away(const std::string& agent_id) {
    const auto found = watched_.find(agent_id);
    if (found == watched_.end() || !std::exchange(found->second->online, false)) return;
    Watched& watched = *found->second;
    board_.set_online(agent_id, false);
    watched.away_since = wall_now();
    watched.away_at = loop_.now();
    online_spots_ -= watched.spots.size();
    for (const auto& spot : watched.spots) {
        cancel_probe(*spot);
        schedule(*spot, watched.away_at + kAwayGrace);
    }
    arm();
    if (watched.spots.empty()) watched_.erase(found);
}

void HealthProber::look_at_failing(const std::string& agent_id) {
    const auto found = watched_.find(agent_id);
    if (found == watched_.end() || !found->second->online || interval_ == 0ms) return;
    for (const auto& spot : found->second->spots)
        if (!spot->probe && spot->health.state != RouteHealth::State::healthy) schedule(*spot, loop_.now());
    arm();
}

void HealthProber::follow(const std::string& agent_id, const std::vector<HealthCheck>& checks) {
    const auto found = watched_.find(agent_id);
    if (found == watched_.end()) return;
    Watched& watched = *found->second;
    if (watched.online) online_spots_ -= watched.spots.size();
    std::vector<std::unique_ptr<Spot>> before = std::exchange(watched.spots, {});
    std::vector<std::string> gone;
    for (const auto& spot : before)
        for (const auto& [id, label] : std::exchange(spot->routes, {})) gone.push_back(id);
    for (const HealthCheck& check : checks) {
        const auto same = [&](const std::unique_ptr<Spot>& spot) {
            return spot && spot->target == check.target && spot->path == check.path && spot->only_route == (watched.routes_apart ? check.route_id : "");
        };
        auto place = std::ranges::find_if(watched.spots, same);
        if (place == watched.spots.end()) {
            const auto kept = std::ranges::find_if(before, same);
            if (kept != before.end()) {
                watched.spots.push_back(std::move(*kept));
            } else {
                watched.spots.push_back(std::make_unique<Spot>(Spot{watched, check.target, check.path, watched.routes_apart ? check.route_id : ""}));
                schedule(*watched.spots.back(), watched.online ? loop_.now() : watched.away_at + kAwayGrace);
            }
            place = std::prev(watched.spots.end());
            (*place)->host = check.host;
        }
        (*place)->routes.emplace_back(check.route_id, check.label);
        board_.set(check.route_id, check.label, (*place)->health);
        std::erase(gone, check.route_id);
    }
    for (const std::string& id : gone) board_.drop(id);
    for (const auto& spot : before) {
        if (!spot) continue;
        unschedule(*spot);
        cancel_probe(*spot);
    }
    arm();
    if (watched.online) online_spots_ += watched.spots.size();
    if (checks.empty() && !watched.online) watched_.erase(found);
}

// ---- when

std::chrono::milliseconds HealthProber::effective_interval() const {
    const std::chrono::milliseconds at_full_rate(static_cast<std::int64_t>(1000.0 * static_cast<double>(online_spots_) / most_per_second_));
    return std::max(interval_, at_full_rate);
}

void HealthProber::schedule(Spot& spot, TimePoint at) {
    unschedule(spot);
    spot.due = at;
    spot.scheduled = true;
    due_.emplace(at, &spot);
    if (due_.begin()->second == &spot) arm();
}

// Sets the timer for the first that is due. While as many probes as may are under way, the end of one does it.
void HealthProber::arm() {
    if (due_.empty()) return timer_.cancel();
    const auto& [at, first] = *due_.begin();
    if (first->watched.online && in_flight_ >= kProbesInFlight) return;
    timer_.start(std::max(Duration::zero(), (first->watched.online ? std::max(at, next_start_) : at) - Clock::now()));
}

void HealthProber::unschedule(Spot& spot) {
    if (std::exchange(spot.scheduled, false)) due_.erase({spot.due, &spot});
}

void HealthProber::look_again_after(Spot& spot) {
    if (interval_ == 0ms) return unschedule(spot);
    const double factor = 0.8 + 0.4 * std::uniform_real_distribution<double>()(random_);
    schedule(spot, loop_.now() + std::chrono::duration_cast<Duration>(effective_interval() * factor));
}

void HealthProber::cancel_probe(Spot& spot) {
    if (!spot.probe) return;
    spot.probe->cancel();
    loop_.dispose(std::move(spot.probe));
    --in_flight_;
}

void HealthProber::run() {
    const TimePoint now = Clock::now();
    const auto gap = std::chrono::duration_cast<Duration>(std::chrono::duration<double>(1 / most_per_second_));
    while (!due_.empty() && due_.begin()->first <= now) {
        Spot& spot = *due_.begin()->second;
        if (!spot.watched.online) {
            unschedule(spot);
            set_health(spot, {.state = RouteHealth::State::unhealthy, .hop = HealthHop::agent, .cause = problem::kAgentOffline.cause, .detail = "the agent isn't connected", .since = spot.watched.away_since});
            continue;
        }
        if (interval_ == 0ms) {
            unschedule(spot);
            set_health(spot, {});  // all that is known: the agent is there
            continue;
        }
        if (in_flight_ >= kProbesInFlight || next_start_ > now) break;
        next_start_ = std::max(next_start_, now - gap * kBurst) + gap;
        unschedule(spot);
        begin_probe(spot);
    }
    arm();
}

// ---- what

std::string HealthProber::request_of(const Spot& spot) const {
    if (spot.path.empty() || !spot.ask_path) return {};
    RequestHead head;
    head.method = "GET";
    head.target = spot.path;
    head.authority = spot.host.empty() ? home_.host_of(spot.watched.agent_id, spot.target) : spot.host;
    head.fields.add("User-Agent", "sallyport-health/" + std::string(kVersion));
    head.fields.add("Accept", "*/*");
    std::string text;
    write_request_head(text, head, ConnectionOption::close);
    return text;
}

void HealthProber::begin_probe(Spot& spot) {
    ++in_flight_;
    const auto open = [this, &spot](Stream::Owner& owner) { return home_.open(spot.watched.agent_id, {spot.target, {}, spot.only_route}, owner); };
    spot.probe = std::make_unique<TargetProbe>(loop_, open, request_of(spot), [this, &spot](const TargetProbe::Verdict& verdict) { on_done(spot, verdict); });
}

void HealthProber::on_done(Spot& spot, const TargetProbe::Verdict& verdict) {
    loop_.dispose(std::move(spot.probe));
    --in_flight_;
    look_again_after(spot);
    arm();
    // The tunnel ended under it; on_away() says the rest.
    if (verdict.cause == problem::kAgentLost.cause || verdict.cause == problem::kAgentOffline.cause) return;
    RouteHealth health;
    health.probed_at = wall_now();
    health.took = verdict.took;
    health.since = *health.probed_at;
    health.state = verdict.healthy ? RouteHealth::State::healthy : RouteHealth::State::unhealthy;
    health.hop = verdict.hop;
    health.cause = verdict.cause;
    health.detail = verdict.detail;
    if (verdict.cause == kCauseLogin) spot.ask_path = false;
    // From then on only the connection is tried: it may get worse, and when it is back the path is as it was.
    if (verdict.healthy && !spot.ask_path) {
        health.state = RouteHealth::State::unhealthy;
        health.cause = kCauseLogin;
        health.detail = "the health path needs a login: choose another one; it isn't asked again";
    }
    board_.count_probe(health.state);
    set_health(spot, std::move(health));
}

void HealthProber::set_health(Spot& spot, RouteHealth health) {
    const RouteHealth before = std::exchange(spot.health, std::move(health));
    RouteHealth& after = spot.health;
    using State = RouteHealth::State;
    const bool same = before.state == after.state && before.hop == after.hop && before.cause == after.cause;
    if (same) after.since = before.since;
    if (!after.probed_at) {
        after.probed_at = before.probed_at;
        after.took = before.took;
    }
    for (const auto& [id, label] : spot.routes) {
        board_.set(id, label, after);
        if (same) continue;
        if (after.state == State::unhealthy)
            log_.warn("route.unhealthy", {{"route", label},
                                          {"agent", spot.watched.name},
                                          {"target", spot.target},
                                          {"hop", name_of(after.hop)},
                                          {"cause", after.cause},
                                          {"detail", after.detail}});
        else if (after.state == State::healthy && before.state == State::unhealthy)
            log_.info("route.healthy", {{"route", label},
                                        {"agent", spot.watched.name},
                                        {"target", spot.target},
                                        {"after_s", (after.since - before.since).count()}});
    }
}

}  // namespace sallyport::relay
