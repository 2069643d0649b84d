#include "relay/loop_agents.h"

#include <algorithm>

#include "base/version.h"
#include "relay/agents.h"

namespace sallyport::relay {
namespace {

using namespace std::chrono_literals;

constexpr auto kLookEvery = 25ms;     // how often a newcomer looks for the live tunnel's answer
constexpr auto kSeenAfter = 1s;       // gathers what a start or a restart of many agents would write one by one
constexpr auto kSeenEvery = 60s;      // how old last_seen_at may grow while connected

}  // namespace

// ---- waiting for an agent

class LoopAgents::OnlineWait final : public Origins::Wait {
public:
    OnlineWait(LoopAgents& agents, std::string_view agent_id, std::chrono::milliseconds longest, OnOnline on_online)
        : agents_(agents), agent_id_(agent_id), on_online_(std::move(on_online)), deadline_(agents.loop_, [this] { settle(false); }) {
        agents_.entry(agent_id_).waiting.insert(this);
        deadline_.start(longest);
    }
    ~OnlineWait() override { leave(); }

    void settle(bool online) {
        deadline_.cancel();
        leave();
        auto on_online = std::move(on_online_);  // the call may destroy *this
        on_online(online);
    }

private:
    void leave() {
        if (const auto found = agents_.entries_.find(agent_id_); found != agents_.entries_.end())
            found->second.waiting.erase(this);
    }
    LoopAgents& agents_;
    std::string agent_id_;
    OnOnline on_online_;
    Timer deadline_;
};

// A wait for a permit of an agent that was never connected.
class LoopAgents::NoGate final : public Origins::Wait {
public:
    NoGate(Loop& loop, OnPermit on_permit) : timer_(loop, [this] { tell(); }), on_permit_(std::move(on_permit)) {
        timer_.start(0ms);
    }

private:
    void tell() {
        auto on_permit = std::move(on_permit_);
        on_permit(fail(Errc::unreachable, "the agent is not connected"));
    }
    Timer timer_;
    OnPermit on_permit_;
};

// ---- one who proved the credential of a connected agent

struct LoopAgents::Newcomer {
    Newcomer(LoopAgents& agents, Arrival waiting)
        : arrival(std::move(waiting)), asked_at(Clock::now()), timer(agents.loop_, [this, &agents] { agents.look_at(*this); }) {}
    Arrival arrival;
    const TimePoint asked_at;
    bool taking_over = false;
    Timer timer;
};

// ---- LoopAgents

LoopAgents::LoopAgents(Loop& loop, Agents& agents, Log& log, const TunnelSettings& settings)
    : loop_(loop), agents_(agents), log_(log), settings_(settings),
      prober_(loop, log, agents.health_board_,
              {.open = [this](const std::string& id, const OpenRequest& request, Stream::Owner& owner) { return open_here(id, request, owner); },
               .host_of = [this](const std::string& id, const std::string& target) { return own_host_of(id, target); }},
              kProbesPerSecond / static_cast<double>(agents.loop_count_)),
      far_ends_(loop), seen_timer_(loop, [this] {
          std::vector<store::AgentId> ids;
          for (const auto& [id, link] : links_)
              if (link->view()) seen_.insert(id);
          for (const std::string& id : seen_) ids.push_back({id});
          seen_.clear();
          if (!links_.empty()) seen_timer_.start(kSeenEvery);
          if (!ids.empty()) agents_.on_seen_(std::move(ids));
      }) {}

LoopAgents::~LoopAgents() = default;

void LoopAgents::set_directory(DirectoryPtr directory, const std::vector<store::AgentId>* changed) {
    directory_ = std::move(directory);
    if (changed) {
        for (const store::AgentId& agent : *changed) follow_directory(agent.text);
        return;
    }
    std::vector<std::string> all;
    for (const auto& [id, entry] : entries_) all.push_back(id);
    for (const auto& [id, link] : links_)
        if (!entries_.contains(id)) all.push_back(id);
    for (const auto& [id, newcomer] : newcomers_)
        if (!entries_.contains(id) && !links_.contains(id)) all.push_back(id);
    for (const std::string& id : all) follow_directory(id);
}

void LoopAgents::follow_directory(const std::string& agent_id) {
    if (const auto link = links_.find(agent_id); link != links_.end()) {
        if (const auto why = objection(link->second->agent())) {
            link->second->tunnel().close({Errc::unauthorized, std::string(*why)});
        } else {
            apply_limit(*link->second);
            inform(*link->second);
        }
    }
    if (const auto newcomer = newcomers_.find(agent_id); newcomer != newcomers_.end() && objection(newcomer->second->arrival.agent)) {
        refuse(newcomer->second->arrival, 403, AdmissionRefusal::disabled);
        newcomers_.erase(newcomer);
    }
    prober_.follow(agent_id, directory_->health_checks(agent_id));
    const auto known = entries_.find(agent_id);
    if (known != entries_.end() && !known->second.view && known->second.waiting.empty() && !directory_->agent(agent_id)) entries_.erase(known);
}

std::optional<std::string_view> LoopAgents::objection(const ProvenAgent& proven) const {
    const store::Agent* known = directory_->agent(proven.agent_id);
    if (!known) return "the agent was removed";
    if (known->enabled == store::Enabled::no) return "the agent is disabled";
    if (!directory_->credential(proven.credential_id)) return "its credential was revoked";
    return std::nullopt;
}

bool LoopAgents::is_replaced(const std::string& credential_id) const {
    const store::Credential* credential = directory_->credential(credential_id);
    return credential && credential->retires_at;
}

void LoopAgents::inform(AgentLink& link) {
    link.tell_routes(directory_->notices(link.agent().agent_id));
    const store::Credential* credential = directory_->credential(link.agent().credential_id);
    if (credential && credential->retires_at) link.tell_rotated(*credential->retires_at);
}

void LoopAgents::apply_limit(const AgentLink& link) {
    if (!link.view()) return;
    unsigned limit = link.view()->concurrency_limit;
    const store::Agent* known = directory_->agent(link.agent().agent_id);
    if (known && known->concurrency_limit) limit = std::min(limit, *known->concurrency_limit);
    agents_.gate(link.agent().agent_id)->set_limit(limit);
}

// ---- admission

void LoopAgents::admit(Arrival arrival) {
    if (closed_all_) return refuse(arrival, 503, AdmissionRefusal::overload);
    if (objection(arrival.agent)) return refuse(arrival, 403, AdmissionRefusal::disabled);
    if (arrival.purpose == ArrivalPurpose::view) return show_view(arrival);
    const auto live = links_.find(arrival.agent.agent_id);
    if (live == links_.end()) {
        // The count is taken a moment later; loops that race for the last place may go over by one each.
        if (agents_.link_count_ >= agents_.most_links_) {
            ++agents_.refused_links_;
            return refuse(arrival, 503, AdmissionRefusal::overload);
        }
        return begin_link(std::move(arrival));
    }
    AgentLink& link = *live->second;
    const bool same = arrival.session.id == link.agent().session_id;
    if (same && link.tunnel().can_resume_from(arrival.session.received)) return resume(std::move(arrival), link);
    if (!link.tunnel().connected())
        return take_over(std::move(arrival), link, {Errc::reset, "the agent came back and began anew"});
    if (is_replaced(link.agent().credential_id) && !is_replaced(arrival.agent.credential_id))
        return take_over(std::move(arrival), link, {Errc::end_of_stream, "the agent came with its new credential"});
    if (!same && refused_.is_preferred(link.agent().agent_id, arrival.peer(), loop_.now())) {
        log_.warn("tunnel.taken_over", {{"agent", link.agent().name},
                                        {"from", link.peer()},
                                        {"by", arrival.peer()}});
        return take_over(std::move(arrival), link, {Errc::refused, "the relay's owner decided for another process with this credential"});
    }
    // An attempt that came late: another one, sent with more octets received, has won already.
    if (same) return refuse(arrival, 409, AdmissionRefusal::duplicate_live);
    await_verdict(std::move(arrival), link);
}

// At once, even while the old connection looks alive: who knows the session and proves the credential is the agent itself.
void LoopAgents::resume(Arrival arrival, AgentLink& link) {
    const std::string from = arrival.peer();
    arrival.accept_again(link.tunnel().freeze());
    link.resume(std::move(arrival.agent.credential_id), std::move(arrival.transport), std::move(arrival.received),
                arrival.session.received);
    publish(link);
    inform(link);
    watch_health(link);
    log_.info("tunnel.resumed", {{"agent", link.agent().name}, {"peer", from}, {"session", link.agent().session_id}});
}

void LoopAgents::refuse(Arrival& arrival, int status, AdmissionRefusal reason) {
    counters_.count(reason);
    log_.info("tunnel.refused", {{"agent", arrival.agent.name},
                                 {"reason", name_of(reason)},
                                 {"peer", arrival.peer()}});
    const auto live = links_.find(arrival.agent.agent_id);
    arrival.refuse(status, reason, live == links_.end() ? "" : live->second->peer());
}

void LoopAgents::show_view(Arrival& arrival) {
    const std::string& id = arrival.agent.agent_id;
    RelayView view;
    view.agent = arrival.agent.name;
    view.relay_version = kVersion;
    view.time_ms = std::chrono::duration_cast<std::chrono::milliseconds>(WallClock::now().time_since_epoch()).count();
    view.peer = arrival.peer();
    view.routes = directory_->notices(id);
    if (const auto link = links_.find(id); link != links_.end() && link->second->view()) {
        const AgentLink& live = *link->second;
        view.tunnel = RelayView::Tunnel{.peer = live.peer(),
                                        .version = live.version(),
                                        .connected_s = std::chrono::duration_cast<std::chrono::seconds>(Clock::now() - live.opened_at()).count(),
                                        .round_trip_us = link->second->tunnel().round_trip().count(),
                                        .lost = live.view()->lost};
        if (const auto other = refused_.find(id, loop_.now())) view.refused_peer = other->peer;
    }
    view.ticket = agents_.tickets().issue(id, Clock::now());
    view.ticket_s = DoctorTickets::kLife.count();
    log_.debug("agent.view_asked", {{"agent", view.agent}, {"peer", view.peer}});
    arrival.show(view);
}

void LoopAgents::begin_link(Arrival arrival) {
    MakeTunnel make_tunnel = arrival.accept(loop_, settings_);
    ++agents_.link_count_;
    const std::string id = arrival.agent.agent_id;
    links_[id] = std::make_unique<AgentLink>(loop_, log_, std::move(arrival.agent), std::move(make_tunnel), static_cast<AgentLink::Owner&>(*this));
}

// A newcomer waits while the live tunnel is asked for a sign of life. A later one steps into its place: an agent that dials
// again has given up its attempt before.
void LoopAgents::await_verdict(Arrival arrival, AgentLink& live) {
    auto& place = newcomers_[arrival.agent.agent_id];
    if (place) {
        std::swap(place->arrival, arrival);
        refuse(arrival, 409, AdmissionRefusal::duplicate_live);
        return;
    }
    place = std::make_unique<Newcomer>(*this, std::move(arrival));
    live.tunnel().ping();
    place->timer.start(kLookEvery);
}

void LoopAgents::take_over(Arrival arrival, AgentLink& old, Error why) {
    auto& place = newcomers_[arrival.agent.agent_id];
    if (place) {
        std::swap(place->arrival, arrival);
        refuse(arrival, 409, AdmissionRefusal::duplicate_live);
    } else {
        place = std::make_unique<Newcomer>(*this, std::move(arrival));
    }
    place->taking_over = true;
    place->timer.cancel();
    old.tunnel().close(std::move(why));
}

void LoopAgents::look_at(Newcomer& newcomer) {
    const std::string id = newcomer.arrival.agent.agent_id;
    AgentLink& live = *links_.at(id);
    if (!live.tunnel().connected()) {
        newcomer.taking_over = true;  // begins when the old link has reported its end
        live.tunnel().close({Errc::reset, "lost while another connection proved the same credential"});
    } else if (live.tunnel().heard_at() > newcomer.asked_at) {
        log_.warn("tunnel.duplicate", {{"agent", live.agent().name},
                                       {"connected_from", live.peer()},
                                       {"refused_from", newcomer.arrival.peer()}});
        refused_.note(id, newcomer.arrival.peer(), loop_.now());
        refuse(newcomer.arrival, 409, AdmissionRefusal::duplicate_live);
        loop_.dispose(std::move(newcomers_.extract(id).mapped()));
    } else if (Clock::now() - newcomer.asked_at >= kTakeoverPatience) {
        newcomer.taking_over = true;
        live.tunnel().close({Errc::timeout, "silent when another connection proved the same credential"});
    } else {
        newcomer.timer.start(kLookEvery);
    }
}

// ---- what links report

void LoopAgents::on_link_view(AgentLink& link) {
    const ProvenAgent& agent = link.agent();
    const bool first = !entry(agent.agent_id).view;
    apply_limit(link);
    publish(link);
    inform(link);
    if (!first) {
        if (link.view()->keeps_routes_apart()) prober_.look_at_failing(agent.agent_id);
        return;
    }
    if (!drain_reason_.empty()) {
        const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(drain_ends_ - Clock::now());
        link.tell_drain(drain_reason_, std::max<std::chrono::milliseconds>(left, 0ms));
    }
    note_seen(agent.agent_id);
    watch_health(link);
    counters_.tunnels_opened.add();
    log_.info("tunnel.opened", {{"agent", agent.name},
                                {"peer", link.peer()},
                                {"version", link.version()},
                                {"session", agent.session_id},
                                {"targets", link.view()->targets.size()}});
}

void LoopAgents::publish(const AgentLink& link) {
    const std::string& id = link.agent().agent_id;
    if (link.view()) agents_.publish(*this, id, link.view(), agents_.gate(id));
}

void LoopAgents::on_link_lost(AgentLink& link, const Error& reason) {
    publish(link);
    note_seen(link.agent().agent_id);
    prober_.on_away(link.agent().agent_id);
    log_.info("tunnel.lost", {{"agent", link.agent().name}, {"reason", name_of(reason.code)}, {"detail", reason.detail}});
}

void LoopAgents::on_link_closed(AgentLink& link, const Error& reason) {
    const std::string id = link.agent().agent_id;
    const auto age = std::chrono::duration_cast<std::chrono::seconds>(Clock::now() - link.opened_at());
    log_.info("tunnel.closed", {{"agent", link.agent().name},
                                {"reason", name_of(reason.code)},
                                {"detail", reason.detail},
                                {"age_s", age.count()}});
    if (link.view()) {
        note_seen(id);
        agents_.publish(*this, id, nullptr, nullptr);
    }
    refused_.forget(id);
    prober_.on_away(id);
    loop_.dispose(std::move(links_.extract(id).mapped()));
    --agents_.link_count_;
    if (closed_all_) {
        if (links_.empty()) closed_all_();
        return;
    }
    if (auto waiting = newcomers_.extract(id)) {
        Arrival arrival = std::move(waiting.mapped()->arrival);
        loop_.dispose(std::move(waiting.mapped()));
        begin_link(std::move(arrival));
    }
}

void LoopAgents::watch_health(const AgentLink& link) {
    if (!link.view()) return;
    const std::string& id = link.agent().agent_id;
    prober_.on_online(id, link.agent().name, link.view()->keeps_routes_apart());
    prober_.follow(id, directory_->health_checks(id));
}

std::string LoopAgents::own_host_of(const std::string& agent_id, const std::string& target) const {
    const auto link = links_.find(agent_id);
    if (link != links_.end() && link->second->view())
        for (const AgentView::Target& known : link->second->view()->targets)
            if (known.name == target && !known.authority.empty()) return known.authority;
    return target;
}

void LoopAgents::note_seen(const std::string& agent_id) {
    seen_.insert(agent_id);
    seen_timer_.start(kSeenAfter);
}

void LoopAgents::set_view(const std::string& agent_id, std::shared_ptr<const AgentView> view, std::shared_ptr<PermitGate> gate) {
    Entry& known = entry(agent_id);
    known.view = std::move(view);
    if (gate) known.gate = std::move(gate);
    if (!known.view || known.view->lost) return;
    while (!known.waiting.empty()) (*known.waiting.begin())->settle(true);  // each leaves as it is called
}

LoopAgents::Entry& LoopAgents::entry(std::string_view agent_id) {
    const auto found = entries_.find(agent_id);
    return found != entries_.end() ? found->second : entries_[std::string(agent_id)];
}

void LoopAgents::prefer_newcomer(const std::string& agent_id, std::string_view peer) {
    if (links_.contains(agent_id)) refused_.prefer(agent_id, peer, loop_.now());
}

void LoopAgents::append_live(std::string_view agent_name, std::vector<LiveAgent>& out) const {
    for (const auto& [id, link] : links_) {
        if (!agent_name.empty() && link->agent().name != agent_name) continue;
        if (!link->view() || link->view()->lost) continue;
        const Tunnel& tunnel = link->tunnel();
        out.push_back({.agent_id = id,
                       .peer = link->peer(),
                       .version = link->version(),
                       .connected_at = link->connected_at(),
                       .round_trip = tunnel.round_trip(),
                       .open_streams = tunnel.open_streams(),
                       .requests_in_flight = agents_.gate(id)->in_flight(),
                       .view = link->view(),
                       .session_id = link->agent().session_id,
                       .over_ssh = link->view()->keeps_routes_apart(),
                       .refused = refused_.find(id, loop_.now())});
    }
}

void LoopAgents::cut(const Revoked& revoked) {
    for (const auto& [id, link] : links_) {
        const bool gone = std::ranges::find(revoked.agents, id) != revoked.agents.end() ||
                          std::ranges::find(revoked.credentials, link->agent().credential_id) != revoked.credentials.end();
        if (gone) link->tunnel().close({Errc::unauthorized, "revoked in the process that has replaced this one"});
    }
}

void LoopAgents::tell_drain(std::string reason, std::chrono::milliseconds deadline) {
    drain_reason_ = std::move(reason);
    drain_ends_ = Clock::now() + deadline;
    for (const auto& [id, link] : links_) link->tell_drain(drain_reason_, deadline);
}

void LoopAgents::close_all(std::function<void()> done) {
    for (auto& [id, newcomer] : newcomers_) refuse(newcomer->arrival, 503, AdmissionRefusal::overload);
    newcomers_.clear();
    closed_all_ = std::move(done);
    if (links_.empty()) return closed_all_();
    for (const auto& [id, link] : links_) link->tunnel().close({Errc::end_of_stream, "the relay is stopping"});
}

// ---- Origins

std::shared_ptr<const AgentView> LoopAgents::agent(std::string_view agent_id) {
    const auto found = entries_.find(agent_id);
    return found == entries_.end() ? nullptr : found->second.view;
}

Result<StreamPtr> LoopAgents::open(std::string_view agent_id, const OpenRequest& request, Stream::Owner& owner) {
    LoopAgents& home = agents_.at(agents_.owner_of(agent_id));
    if (&home == this) return open_here(agent_id, request, owner);
    if (!agent(agent_id)) return fail(Errc::unreachable, "the agent is not connected");
    const auto open_there = [&home, id = std::string(agent_id), request](Stream::Owner& far) {
        return home.open_here(id, request, far);
    };
    return open_cross_loop_stream(loop_, home.loop_, home.far_ends_, open_there, owner);
}

Result<StreamPtr> LoopAgents::open_here(std::string_view agent_id, const OpenRequest& request, Stream::Owner& owner) {
    const auto link = links_.find(agent_id);
    if (link == links_.end() || !link->second->view()) return fail(Errc::unreachable, "the agent is not connected");
    return link->second->tunnel().open(request, owner);
}

std::unique_ptr<Origins::Permit> LoopAgents::try_permit(std::string_view agent_id) {
    const auto found = entries_.find(agent_id);
    return found == entries_.end() || !found->second.gate ? nullptr : found->second.gate->try_acquire();
}

std::unique_ptr<Origins::Wait> LoopAgents::wait_permit(std::string_view agent_id, std::chrono::milliseconds longest,
                                                       OnPermit on_permit) {
    const auto found = entries_.find(agent_id);
    if (found == entries_.end() || !found->second.gate) return std::make_unique<NoGate>(loop_, std::move(on_permit));
    return found->second.gate->acquire_within(loop_, longest, std::move(on_permit));
}

std::unique_ptr<Origins::Wait> LoopAgents::wait_online(std::string_view agent_id, std::chrono::milliseconds longest,
                                                       OnOnline on_online) {
    return std::make_unique<OnlineWait>(*this, agent_id, longest, std::move(on_online));
}

void LoopAgents::report_unexpected_400(std::string_view agent_id, std::string_view) {
    LoopAgents& home = agents_.at(agents_.owner_of(agent_id));
    home.loop_.post([&home, id = std::string(agent_id)] {
        if (const auto link = home.links_.find(id); link != home.links_.end()) link->second->ask_for_probe();
    });
}

}  // namespace sallyport::relay
