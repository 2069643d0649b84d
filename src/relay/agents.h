// agents.h: all loops' views of the agents (loop_agents.h) taken together, and what is shared by them. Any thread, unless said.
#pragma once
#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "edge/doctor_tickets.h"
#include "relay/loop_agents.h"

namespace sallyport::relay {

class Agents {
public:
    // Which agents were connected just now; called on loops, at most once a second each.
    using OnSeen = std::function<void(std::vector<store::AgentId>)>;

    // `most_links`: tunnels at the same time, over all loops.
    Agents(const std::vector<Loop*>& loops, Log& log, const TunnelSettings& settings, std::size_t most_links, OnSeen on_seen);

    // The loop on which an agent's tunnel lives, online or not.
    std::size_t owner_of(std::string_view agent_id) const {
        return std::hash<std::string_view>{}(agent_id) % loops_.size();
    }
    std::size_t size() const { return loops_.size(); }
    LoopAgents& at(std::size_t index) { return *loops_[index]; }

    // Gives every loop the new directory; they have it before anything posted to them later. `changed`: the agents in which
    // it differs from the one before; null: any.
    void set_directory(const DirectoryPtr& directory, const std::vector<store::AgentId>* changed = nullptr);

    // From now on; what is connected stays.
    void set_limits(const TunnelSettings& settings, std::size_t most_links);

    // How often each route's target is probed at most; 0: not at all.
    void set_health_interval(std::chrono::milliseconds interval);
    const HealthBoard& health() const { return health_board_; }

    DoctorTickets& tickets() { return tickets_; }

    // See LoopAgents::prefer_newcomer.
    void prefer_newcomer(const std::string& agent_id, const std::string& peer);
    std::size_t most_links() const { return most_links_; }
    std::size_t links() const { return link_count_; }
    std::uint64_t refused_links() const { return refused_links_; }  // there were most_links() already

    // Asks all loops for what is connected, or for the one agent of that name if it is; `done` runs on one of them.
    void collect_live(std::string agent_name, std::move_only_function<void(std::vector<LiveAgent>)> done);

private:
    friend class LoopAgents;
    // The gate outlives the agent's tunnels: requests in flight are counted over reconnects.
    std::shared_ptr<PermitGate> gate(const std::string& agent_id);
    void publish(const LoopAgents& from, const std::string& agent_id, const std::shared_ptr<const AgentView>& view,
                 const std::shared_ptr<PermitGate>& gate);

    std::atomic<std::size_t> most_links_;
    std::atomic<std::size_t> link_count_{0};
    std::atomic<std::uint64_t> refused_links_{0};
    OnSeen on_seen_;
    const std::size_t loop_count_;
    HealthBoard health_board_;
    DoctorTickets tickets_;
    std::vector<std::unique_ptr<LoopAgents>> loops_;
    std::mutex mutex_;  // guards gates_; taken when a tunnel opens
    std::unordered_map<std::string, std::shared_ptr<PermitGate>> gates_;
};

}  // namespace sallyport::relay
