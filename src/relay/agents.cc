#include "relay/agents.h"

namespace sallyport::relay {

Agents::Agents(const std::vector<Loop*>& loops, Log& log, const TunnelSettings& settings, std::size_t most_links, OnSeen on_seen)
    : most_links_(most_links), on_seen_(std::move(on_seen)), loop_count_(loops.size()) {
    for (Loop* loop : loops) loops_.push_back(std::make_unique<LoopAgents>(*loop, *this, log, settings));
}

void Agents::set_directory(const DirectoryPtr& directory, const std::vector<store::AgentId>* changed) {
    using Changed = std::shared_ptr<const std::vector<store::AgentId>>;
    const Changed shared = changed ? std::make_shared<const std::vector<store::AgentId>>(*changed) : nullptr;
    {
        // Gates that no loop holds belong to agents that are gone, or were never online since.
        const std::lock_guard lock(mutex_);
        if (!changed) std::erase_if(gates_, [](const auto& item) { return item.second.use_count() == 1; });
        else
            for (const store::AgentId& agent : *changed)
                if (const auto gate = gates_.find(agent.text); gate != gates_.end() && gate->second.use_count() == 1) gates_.erase(gate);
    }
    for (const auto& agents : loops_)
        agents->loop().post([&agents = *agents, directory, shared] { agents.set_directory(directory, shared.get()); });
}

void Agents::set_limits(const TunnelSettings& settings, std::size_t most_links) {
    most_links_ = most_links;
    for (const auto& agents : loops_)
        agents->loop().post([&agents = *agents, settings] { agents.set_tunnel_settings(settings); });
}

void Agents::set_health_interval(std::chrono::milliseconds interval) {
    for (const auto& agents : loops_)
        agents->loop().post([&agents = *agents, interval] { agents.set_health_interval(interval); });
}

void Agents::prefer_newcomer(const std::string& agent_id, const std::string& peer) {
    LoopAgents& home = at(owner_of(agent_id));
    home.loop().post([&home, agent_id, peer] { home.prefer_newcomer(agent_id, peer); });
}

void Agents::collect_live(std::string agent_name, std::move_only_function<void(std::vector<LiveAgent>)> done) {
    struct Gathering {
        std::mutex mutex;
        std::vector<LiveAgent> found;
        std::size_t missing;
        std::move_only_function<void(std::vector<LiveAgent>)> done;
    };
    auto gathering = std::make_shared<Gathering>();
    gathering->missing = loops_.size();
    gathering->done = std::move(done);
    for (const auto& agents : loops_)
        agents->loop().post([gathering, &agents = *agents, agent_name] {
            {
                const std::lock_guard lock(gathering->mutex);
                agents.append_live(agent_name, gathering->found);
                if (--gathering->missing > 0) return;
            }
            gathering->done(std::move(gathering->found));
        });
}

std::shared_ptr<PermitGate> Agents::gate(const std::string& agent_id) {
    const std::lock_guard lock(mutex_);
    auto& gate = gates_[agent_id];
    if (!gate) gate = std::make_shared<PermitGate>(0);
    return gate;
}

void Agents::publish(const LoopAgents& from, const std::string& agent_id, const std::shared_ptr<const AgentView>& view,
                     const std::shared_ptr<PermitGate>& gate) {
    for (const auto& agents : loops_) {
        if (agents.get() == &from) agents->set_view(agent_id, view, gate);
        else agents->loop().post([&agents = *agents, agent_id, view, gate] { agents.set_view(agent_id, view, gate); });
    }
}

}  // namespace sallyport::relay
