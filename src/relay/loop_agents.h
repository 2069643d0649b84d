// loop_agents.h: the agents as one loop sees them. Every loop has one of these and all know each other:
// - of any agent: whether it is online, its view, its permits, who waits for it (Origins, asked by this loop's edge);
// - of the agents this loop owns (a hash of the id says so): their links, and newcomers that want to become one.
// A stream to an agent of this loop goes straight to its tunnel; to another's it crosses loops (cross_loop_stream.h).
//
// Lives on its loop, except agents() and what Agents says of itself. Close all links (close_all) and let them report before
// destroying it; edges go first.
#pragma once
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "base/log.h"
#include "edge/origins.h"
#include "relay/admission_refusal.h"
#include "relay/agent_link.h"
#include "relay/arrival.h"
#include "relay/cross_loop_stream.h"
#include "relay/directory.h"
#include "relay/health_prober.h"
#include "relay/permit_gate.h"
#include "relay/refused_newcomers.h"

namespace sallyport::relay {

class Agents;

// How long a live tunnel may take to answer when a newcomer proves the same credential.
inline constexpr std::chrono::milliseconds kTakeoverPatience{2000};

// A connected agent (not one whose connection is lost), as shown to people and programs.
struct LiveAgent {
    std::string agent_id;
    std::string peer;
    std::string version;
    WallTime connected_at;
    std::chrono::microseconds round_trip;
    std::size_t open_streams;
    unsigned requests_in_flight;
    std::shared_ptr<const AgentView> view;
    std::string session_id{};                 // public; worth nothing without the credential
    bool over_ssh = false;                     // a stock SSH client, or an agent that comes like one
    std::optional<RefusedNewcomer> refused{};  // another process with a credential of this agent
};

class LoopAgents final : public Origins, private AgentLink::Owner {
public:
    LoopAgents(Loop& loop, Agents& agents, Log& log, const TunnelSettings& settings);
    ~LoopAgents() override;

    Loop& loop() { return loop_; }
    Log& log() { return log_; }
    const DirectoryPtr& directory() const { return directory_; }
    AdmissionCounters& counters() { return counters_; }

    // For tunnels that open from now on.
    void set_tunnel_settings(const TunnelSettings& settings) { settings_ = settings; }

    // A new directory: links whose agent or credential is gone from it are cut, the others hear of changed routes. `changed`:
    // the agents in which it differs from the one before; null: any.
    void set_directory(DirectoryPtr directory, const std::vector<store::AgentId>* changed = nullptr);

    // 0: targets are not probed.
    void set_health_interval(std::chrono::milliseconds interval) { prober_.set_interval(interval); }

    // On the owner loop: goes on with the session that is asked for, or opens a tunnel in place of one that is lost, or asks
    // the live one first. Who asks for a view is told how things stand, and nothing changes.
    void admit(Arrival arrival);

    // The owner decides for the newcomer from that address, if it was refused lately: its next attempt takes the live one's place.
    // On the owner loop.
    void prefer_newcomer(const std::string& agent_id, std::string_view peer);

    // All that are connected, or the one of that name.
    void append_live(std::string_view agent_name, std::vector<LiveAgent>& out) const;
    // Cuts whoever was let in by what another process has revoked.
    void cut(const Revoked& revoked);
    // Those that come later hear of it, too.
    void tell_drain(std::string reason, std::chrono::milliseconds deadline);
    // Cuts every link and refuses newcomers; `done` once all have reported.
    void close_all(std::function<void()> done);

    // Origins
    std::shared_ptr<const AgentView> agent(std::string_view agent_id) override;
    Result<StreamPtr> open(std::string_view agent_id, const OpenRequest& request, Stream::Owner& owner) override;
    std::unique_ptr<Permit> try_permit(std::string_view agent_id) override;
    std::unique_ptr<Wait> wait_permit(std::string_view agent_id, std::chrono::milliseconds longest, OnPermit on_permit) override;
    std::unique_ptr<Wait> wait_online(std::string_view agent_id, std::chrono::milliseconds longest, OnOnline on_online) override;
    void report_unexpected_400(std::string_view agent_id, std::string_view target) override;

private:
    friend class Agents;
    class OnlineWait;
    class NoGate;
    struct Newcomer;

    // What this loop knows of an agent, owned or not.
    struct Entry {
        std::shared_ptr<const AgentView> view;  // null: offline
        std::shared_ptr<PermitGate> gate;       // null until it was online once
        std::unordered_set<OnlineWait*> waiting;
    };
    struct Hash {
        using is_transparent = void;
        std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>{}(text); }
    };
    template <class Value>
    using Map = std::unordered_map<std::string, Value, Hash, std::equal_to<>>;

    void on_link_view(AgentLink& link) override;
    void on_link_lost(AgentLink& link, const Error& reason) override;
    void on_link_closed(AgentLink& link, const Error& reason) override;

    Result<StreamPtr> open_here(std::string_view agent_id, const OpenRequest& request, Stream::Owner& owner);
    void set_view(const std::string& agent_id, std::shared_ptr<const AgentView> view, std::shared_ptr<PermitGate> gate);
    Entry& entry(std::string_view agent_id);
    void follow_directory(const std::string& agent_id);
    // Why the agent may not be connected (any more); nothing if it may.
    std::optional<std::string_view> objection(const ProvenAgent& agent) const;
    // Whether the credential was replaced, and works for a while beside the new one.
    bool is_replaced(const std::string& credential_id) const;
    void apply_limit(const AgentLink& link);
    void inform(AgentLink& link);  // of what the directory says that concerns it
    void publish(const AgentLink& link);
    void begin_link(Arrival arrival);
    void refuse(Arrival& arrival, int status, AdmissionRefusal reason);
    void show_view(Arrival& arrival);
    void resume(Arrival arrival, AgentLink& link);
    void await_verdict(Arrival arrival, AgentLink& live);
    void take_over(Arrival arrival, AgentLink& old, Error why);
    void look_at(Newcomer& newcomer);
    void note_seen(const std::string& agent_id);
    void watch_health(const AgentLink& link);
    // The Host of requests to a target that isn't told the visitor's.
    std::string own_host_of(const std::string& agent_id, const std::string& target) const;

    Loop& loop_;
    Agents& agents_;
    Log& log_;
    TunnelSettings settings_;
    DirectoryPtr directory_;
    AdmissionCounters counters_;
    Map<Entry> entries_;
    Map<std::unique_ptr<AgentLink>> links_;
    Map<std::unique_ptr<Newcomer>> newcomers_;  // at most one per agent
    RefusedNewcomers refused_;
    HealthProber prober_;  // after links_: its streams go before their tunnels
    CrossLoopFarEnds far_ends_;  // after links_: gone before the tunnels that their streams belong to
    std::unordered_set<std::string> seen_;
    Timer seen_timer_;
    std::function<void()> closed_all_;
    std::string drain_reason_;  // empty: it doesn't drain
    TimePoint drain_ends_{};
};

}  // namespace sallyport::relay
