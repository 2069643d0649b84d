#include "relay/admin_call.h"

namespace sallyport::relay {

const LiveAgent* AdminCall::live_agent(const store::AgentId& id) {
    if (live_by_id.empty())
        for (const LiveAgent& one : live) live_by_id.emplace(one.agent_id, &one);
    const auto found = live_by_id.find(id.text);
    return found == live_by_id.end() ? nullptr : found->second;
}

Result<store::Agent> find_agent(AdminCall& call, const std::string& name) {
    auto agent = call.store.find_agent(name);
    if (!agent && agent.error().code == Errc::not_found) agent.error().detail = "no agent is named " + name;
    return agent;
}

ApiResult<std::map<std::string, std::string>> agent_names(AdminCall& call) {
    const auto agents = call.store.list_agents();
    if (!agents) return told(agents);
    std::map<std::string, std::string> names;
    for (const store::Agent& agent : *agents) names[agent.id.text] = agent.name;
    return names;
}

}  // namespace sallyport::relay
