#include "relay/directory.h"

#include <algorithm>
#include <unordered_map>

#include "edge/route_policy_json.h"

namespace sallyport::relay {
namespace {

sallyport::ForwardClientIp convert(store::ForwardClientIp value) {
    switch (value) {
        case store::ForwardClientIp::always: return sallyport::ForwardClientIp::always;
        case store::ForwardClientIp::never: return sallyport::ForwardClientIp::never;
        case store::ForwardClientIp::automatic: break;
    }
    return sallyport::ForwardClientIp::automatic;
}

Route convert(const store::Route& stored, const store::Agent& agent) {
    Route route;
    route.id = stored.id.text;
    route.hostname = stored.hostname;
    route.path_prefix = stored.path_prefix;
    route.agent_id = agent.id.text;
    route.agent_name = agent.name;
    route.target = stored.target;
    route.enabled = stored.enabled == store::Enabled::yes;
    route.strip_prefix = stored.strip_prefix;
    route.preserve_host = stored.preserve_host;
    route.forward_client_ip = convert(stored.forward_client_ip);
    route.policy = load_route_policy(stored.policy);
    route.request_timeout = stored.request_timeout;
    if (!route.request_timeout && route.policy) route.request_timeout = route.policy->request_timeout;
    return route;
}

// A probe's Host is what a visitor's would be; under a wildcard some name has to stand for all.
HealthCheck health_check_of(const store::Route& route, PublicPort port) {
    HealthCheck check{route.id.text, route.hostname + route.path_prefix, route.target, route.health_path};
    if (route.health_path.empty() || !route.preserve_host) return check;
    check.host = (route.hostname.starts_with("*.") ? "health" + route.hostname.substr(1) : route.hostname) + port.suffix();
    return check;
}

// The target's own port: as its name says it, or as it was proposed to the agent.
std::uint16_t port_of(const std::string& target, const store::Agent& agent) {
    for (const store::ProposedTarget& proposed : agent.proposed_targets)
        if (proposed.name == target) return port_of_target(proposed.url.substr(std::min(proposed.url.find("://") + 3, proposed.url.size())));
    return port_of_target(target);
}

OwnedRoute owned_form(const store::Route& route, const store::Agent& agent, PublicPort port) {
    return {.id = route.id.text, .hostname = route.hostname, .path_prefix = route.path_prefix, .target = route.target,
            .target_port = port_of(route.target, agent), .url = public_url_of(route, port)};
}

void insert_key_of(const std::shared_ptr<const store::Credential>& credential, auto&& insert) {
    if (credential->public_key) insert(std::string(as_text(*credential->public_key)), credential);
    if (credential->ssh_key) insert(credential->ssh_key->fingerprint, credential);
}

}  // namespace

// Notes hostnames and notices of the agent's routes, and gives those as the edge wants them.
std::vector<Route> Directory::take_routes(Known& known, const std::vector<store::Route>& stored, PublicPort port) {
    std::vector<Route> routes;
    for (const store::Route& route : stored) {
        routes.push_back(convert(route, known.agent));
        if (routes.back().enabled) {
            known.notices.push_back({public_url_of(route, port), route.target});
            known.health_checks.push_back(health_check_of(route, port));
            known.owned.push_back(owned_form(route, known.agent, port));
        }
        if (std::ranges::find(known.hostnames, route.hostname) == known.hostnames.end()) known.hostnames.push_back(route.hostname);
    }
    return routes;
}

void Directory::take_tcp_routes(Known& known, const std::vector<store::TcpRoute>& stored) {
    for (const store::TcpRoute& route : stored) {
        if (route.enabled != store::Enabled::yes) continue;
        known.health_checks.push_back({route.id.text, "tcp " + route.listen, route.target});
        if (const auto listen = parse_listen_address(route.listen))
            known.owned.push_back({.id = route.id.text, .listen = *listen, .target = route.target, .target_port = port_of(route.target, known.agent), .url = "port " + route.listen});
    }
}

Directory::Directory(store::Snapshot snapshot, PublicPort port) : port_(port) {
    std::unordered_map<std::string, std::vector<store::TcpRoute>> tcp_routes_of;
    for (store::TcpRoute& route : snapshot.tcp_routes) {
        std::vector<store::TcpRoute>& same = tcp_routes_of[route.agent.text];
        same.push_back(std::move(route));
    }
    std::unordered_map<std::string, std::vector<store::Route>> routes_of;
    for (store::Route& route : snapshot.routes) {
        std::vector<store::Route>& same = routes_of[route.agent.text];
        same.push_back(std::move(route));
    }
    std::unordered_map<std::string, std::vector<CredentialPtr>> credentials_of;
    std::vector<std::pair<std::string, CredentialPtr>> credentials;
    std::vector<std::pair<std::string, CredentialPtr>> keys;
    for (store::Credential& credential : snapshot.credentials) {
        auto made = std::make_shared<const store::Credential>(std::move(credential));
        credentials_of[made->agent.text].push_back(made);
        insert_key_of(made, [&](std::string key, const CredentialPtr& of) { keys.emplace_back(std::move(key), of); });
        credentials.emplace_back(made->id.text, std::move(made));
    }
    std::vector<std::pair<std::string, Known>> agents;
    std::vector<Route> routes;
    for (store::Agent& agent : snapshot.agents) {
        const std::string id = agent.id.text;
        Known known{std::move(agent), std::move(credentials_of[id]), {}, {}};
        for (Route& route : take_routes(known, routes_of[id], port)) routes.push_back(std::move(route));
        take_tcp_routes(known, tcp_routes_of[id]);
        agents.emplace_back(id, std::move(known));
    }
    agents_ = SharedMap(std::move(agents));
    credentials_ = SharedMap(std::move(credentials));
    keys_ = SharedMap(std::move(keys));
    routes_ = std::make_shared<const RouteTable>(std::move(routes));
}

void Directory::replace(const store::AgentId& agent, store::Snapshot part) {
    std::vector<std::string> touched;  // hostnames whose routes change
    if (const Known* before = agents_.find(agent.text)) {
        touched = before->hostnames;
        const std::vector<CredentialPtr> gone = before->credentials;
        for (const CredentialPtr& credential : gone) {
            credentials_.erase(credential->id.text);
            insert_key_of(credential, [&](const std::string& key, const CredentialPtr&) { keys_.erase(key); });
        }
        agents_.erase(agent.text);
    }
    std::vector<Route> routes;
    if (!part.agents.empty()) {
        Known known{std::move(part.agents.front()), {}, {}, {}};
        for (store::Credential& credential : part.credentials) {
            auto made = std::make_shared<const store::Credential>(std::move(credential));
            credentials_.set(made->id.text, made);
            insert_key_of(made, [&](std::string key, const CredentialPtr& of) { keys_.set(std::move(key), of); });
            known.credentials.push_back(std::move(made));
        }
        routes = take_routes(known, part.routes, port_);
        take_tcp_routes(known, part.tcp_routes);
        touched.insert(touched.end(), known.hostnames.begin(), known.hostnames.end());
        agents_.set(agent.text, std::move(known));
    }
    if (touched.empty()) return;
    auto table = std::make_shared<RouteTable>(*routes_);
    std::ranges::sort(touched);
    touched.erase(std::ranges::unique(touched).begin(), touched.end());
    for (const std::string& hostname : touched) {
        std::vector<Route> of_name = table->routes_of(hostname);
        std::erase_if(of_name, [&](const Route& route) { return route.agent_id == agent.text; });
        for (const Route& route : routes)
            if (route.hostname == hostname) of_name.push_back(route);
        table->set_routes_of(hostname, std::move(of_name));
    }
    routes_ = std::move(table);
}

Revoked Directory::revoked_since(const Directory& before, const std::vector<store::AgentId>* changed) const {
    Revoked revoked;
    const auto look = [&](const std::string& id, const Known& was) {
        const store::Agent* is = agent(id);
        if (was.agent.enabled == store::Enabled::yes && (!is || is->enabled == store::Enabled::no)) revoked.agents.push_back(id);
        for (const CredentialPtr& held : was.credentials)
            if (!credential(held->id.text)) revoked.credentials.push_back(held->id.text);
    };
    if (!changed) {
        before.agents_.for_each(look);
        return revoked;
    }
    for (const store::AgentId& id : *changed)
        if (const Known* was = before.agents_.find(id.text)) look(id.text, *was);
    return revoked;
}

const store::Agent* Directory::agent(std::string_view agent_id) const {
    const Known* known = agents_.find(agent_id);
    return known ? &known->agent : nullptr;
}

const store::Credential* Directory::credential(std::string_view credential_id) const {
    const CredentialPtr* found = credentials_.find(credential_id);
    return found ? found->get() : nullptr;
}

const store::Credential* Directory::credential_of_key(Octets public_key) const {
    const CredentialPtr* found = keys_.find(as_text(public_key));
    return found ? found->get() : nullptr;
}

const store::Credential* Directory::credential_of_ssh_key(const SshPublicKey& key) const {
    if (const CredentialPtr* found = keys_.find(key.fingerprint())) return found->get();
    const auto own = ed25519_of(key);
    return own ? credential_of_key(*own) : nullptr;
}

const std::vector<RouteNotice>& Directory::notices(std::string_view agent_id) const {
    static const std::vector<RouteNotice> none;
    const Known* known = agents_.find(agent_id);
    return known ? known->notices : none;
}

const std::vector<HealthCheck>& Directory::health_checks(std::string_view agent_id) const {
    static const std::vector<HealthCheck> none;
    const Known* known = agents_.find(agent_id);
    return known ? known->health_checks : none;
}

const std::vector<OwnedRoute>& Directory::owned_routes(std::string_view agent_id) const {
    static const std::vector<OwnedRoute> none;
    const Known* known = agents_.find(agent_id);
    return known ? known->owned : none;
}

std::vector<std::string> Directory::hostnames(std::string_view agent_id) const {
    const Known* known = agents_.find(agent_id);
    return known ? known->hostnames : std::vector<std::string>{};
}

std::string public_url_of(const store::Route& route, PublicPort port) {
    const bool slash = route.path_prefix.ends_with('/');
    return "https://" + route.hostname + port.suffix() + route.path_prefix + (slash ? "" : "/");
}

}  // namespace sallyport::relay
