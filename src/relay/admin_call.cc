#include "relay/admin_call.h"

#include "wire/url.h"

namespace sallyport::relay {

namespace json = boost::json;

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

std::optional<RouteHealth> health_of(AdminCall& call, const store::RouteId& route, store::Enabled enabled, const store::Agent& agent) {
    if (enabled == store::Enabled::no) return std::nullopt;
    auto known = call.host.route_health(route, agent.id);
    RouteHealth health{.state = RouteHealth::State::unhealthy};
    if (agent.enabled == store::Enabled::no) {
        health.hop = HealthHop::relay;
        health.cause = "agent_disabled";
        health.detail = "the agent is disabled";
        return health;
    }
    if (known) return known;
    health.hop = HealthHop::agent;
    health.cause = "agent_offline";
    health.detail = "the agent isn't connected";
    health.since = agent.last_seen_at.value_or(WallTime{});
    return health;
}

json::object describe_route(AdminCall& call, const store::Route& route, const store::Agent& agent) {
    json::object described = to_json(route, agent.name, call.facts.port);
    const auto health = health_of(call, route.id, route.enabled, agent);
    described["health"] = health ? json::value(to_json(*health)) : json::value(nullptr);
    return described;
}

std::string ssh_host(const AdminHost::Facts& facts) {
    if (!facts.public_url.empty())
        if (const auto url = parse_public_url(facts.public_url)) return url->host;
    if (!facts.base_domain.empty()) return facts.base_domain;
    if (!facts.ssh.address) return "relay.example.org";
    const std::string ip = facts.ssh.address->ip();
    return ip == "::" || ip == "0.0.0.0" ? facts.loopback_url.empty() ? "relay.example.org" : "127.0.0.1" : ip;
}

ApiResult<std::map<std::string, store::Agent>> agents_by_id(AdminCall& call) {
    const auto agents = call.store.list_agents();
    if (!agents) return told(agents);
    std::map<std::string, store::Agent> by_id;
    for (const store::Agent& agent : *agents) by_id.emplace(agent.id.text, agent);
    return by_id;
}

}  // namespace sallyport::relay
