#include "relay/directory.h"

#include <algorithm>

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
    route.request_timeout = stored.request_timeout;
    return route;
}

template <class Map>
auto find_in(const Map& map, std::string_view key) -> const typename Map::mapped_type* {
    const auto found = map.find(key);
    return found == map.end() ? nullptr : &found->second;
}

}  // namespace

Directory::Directory(store::Snapshot snapshot, PublicPort port) {
    for (store::Agent& agent : snapshot.agents) agents_.emplace(agent.id.text, std::move(agent));
    for (store::Credential& credential : snapshot.credentials) {
        if (credential.public_key) key_credentials_.emplace(as_text(*credential.public_key), credential.id.text);
        credentials_.emplace(credential.id.text, std::move(credential));
    }
    std::vector<Route> routes;
    for (const store::Route& stored : snapshot.routes) {
        const store::Agent* owner = agent(stored.agent.text);
        if (!owner) continue;  // the store removes routes with their agent
        routes.push_back(convert(stored, *owner));
        if (routes.back().enabled) notices_[stored.agent.text].push_back({public_url_of(stored, port), stored.target});
    }
    routes_ = std::make_shared<const RouteTable>(std::move(routes));
}

const store::Agent* Directory::agent(std::string_view agent_id) const { return find_in(agents_, agent_id); }

const store::Credential* Directory::credential(std::string_view credential_id) const {
    return find_in(credentials_, credential_id);
}

const store::Credential* Directory::credential_of_key(Octets public_key) const {
    const std::string* id = find_in(key_credentials_, as_text(public_key));
    return id ? credential(*id) : nullptr;
}

const std::vector<RouteNotice>& Directory::notices(std::string_view agent_id) const {
    static const std::vector<RouteNotice> none;
    const auto* found = find_in(notices_, agent_id);
    return found ? *found : none;
}

std::vector<std::string> Directory::hostnames() const {
    std::vector<std::string> names;
    for (const Route& route : routes_->routes()) names.push_back(route.hostname);
    std::ranges::sort(names);
    names.erase(std::ranges::unique(names).begin(), names.end());
    return names;
}

std::string public_url_of(const store::Route& route, PublicPort port) {
    const bool slash = route.path_prefix.ends_with('/');
    return "https://" + route.hostname + port.suffix() + route.path_prefix + (slash ? "" : "/");
}

}  // namespace sallyport::relay
