#include "relay/admin_tcp_routes.h"

#include "store/rules.h"
#include "wire/ip_network.h"
#include "wire/listen_address.h"

namespace sallyport::relay {
namespace {

namespace json = boost::json;

store::Enabled enabled_of(bool value) { return value ? store::Enabled::yes : store::Enabled::no; }

json::object describe(AdminCall& call, const store::TcpRoute& route, const store::Agent& agent) {
    const auto health = health_of(call, route.id, route.enabled, agent);
    const auto shown = call.host.tcp_listener(route.listen);
    json::array allow;
    for (const std::string& network : route.allow) allow.emplace_back(network);
    return {{"id", route.id.text},
            {"listen", route.listen},
            {"address", shown.address.empty() ? json::value(nullptr) : json::value(shown.address)},
            {"error", shown.error.empty() ? json::value(nullptr) : json::value(shown.error)},
            {"agent", agent.name},
            {"target", route.target},
            {"enabled", route.enabled == store::Enabled::yes},
            {"tls", route.tls},
            {"proxy_protocol", route.proxy_protocol},
            {"allow", std::move(allow)},
            {"health", health ? json::value(to_json(*health)) : json::value(nullptr)},
            {"created_at", iso_time(route.created_at)}};
}

AdminAnswered answer_route(AdminCall& call, int status, const Result<store::TcpRoute>& route) {
    if (!route) return told(route);
    const auto agent = call.store.find_agent(route->agent);
    if (!agent) return told(agent);
    return AdminAnswer{status, json::object{{"tcp_route", describe(call, *route, *agent)}}};
}

Result<std::string> check_listen(const std::string& text) {
    const auto address = parse_listen_address(text);
    if (!address) return std::unexpected(address.error());
    return address->text();
}

// The networks in the one form that is compared and shown.
ApiResult<std::optional<std::vector<std::string>>> read_allow(BodyReader& body) {
    auto texts = body.texts("allow");
    if (!texts) return std::nullopt;
    for (std::string& text : *texts) {
        const auto network = IpNetwork::parse(text);
        if (!network) return told(network, "allow");
        text = network->text();
    }
    return texts;
}

}  // namespace

AdminAnswered list_tcp_routes(AdminCall& call) {
    const auto routes = call.store.list_tcp_routes();
    if (!routes) return told(routes);
    const auto agents = agents_by_id(call);
    if (!agents) return std::unexpected(agents.error());
    json::array listed;
    for (const store::TcpRoute& route : *routes) listed.push_back(describe(call, route, agents->at(route.agent.text)));
    return AdminAnswer{200, json::object{{"tcp_routes", std::move(listed)}}};
}

AdminAnswered add_tcp_route(AdminCall& call) {
    BodyReader body(call.body);
    store::TcpRouteSpec spec;
    const std::string listen = body.require("listen", body.text("listen"));
    const std::string agent = body.require("agent", body.text("agent"));
    spec.target = body.require("target", body.text("target"));
    spec.enabled = enabled_of(body.boolean("enabled").value_or(true));
    spec.tls = body.boolean("tls").value_or(false);
    spec.proxy_protocol = body.boolean("proxy_protocol").value_or(false);
    auto allow = read_allow(body);
    if (!allow) return std::unexpected(allow.error());
    if (*allow) spec.allow = std::move(**allow);
    if (auto read = body.finish(); !read) return std::unexpected(read.error());
    auto checked = check_listen(listen);
    if (!checked) return told(checked, "listen");
    spec.listen = std::move(*checked);
    if (const auto target = store::check_target(spec.target); !target) return told(target, "target");
    if (const auto owner = find_agent(call, agent); !owner) return told(owner, "agent");
    if (spec.enabled == store::Enabled::yes)
        if (const auto bound = call.host.bind_tcp(spec.listen); !bound) return api_fail(409, "address_in_use", bound.error().detail, "listen");
    const auto added = call.store.add_tcp_route(agent, spec, call.author());
    std::vector<store::AgentId> changed;
    if (added) changed.push_back(added->agent);
    call.host.refresh(call.store, changed);  // of a route that wasn't stored after all the port is let go
    return answer_route(call, 201, added);
}

AdminAnswered change_tcp_route(AdminCall& call) {
    BodyReader body(call.body);
    store::TcpRouteChange change;
    change.agent = body.text("agent");
    change.target = body.text("target");
    if (const auto enabled = body.boolean("enabled")) change.enabled = enabled_of(*enabled);
    change.tls = body.boolean("tls");
    change.proxy_protocol = body.boolean("proxy_protocol");
    auto allow = read_allow(body);
    if (!allow) return std::unexpected(allow.error());
    change.allow = std::move(*allow);
    if (auto read = body.finish(); !read) return std::unexpected(read.error());
    const store::RouteId id{call.arguments[0]};
    const auto before = call.store.find_tcp_route(id);
    if (!before) return told(before);
    const auto changed = call.store.set_tcp_route(id, change, call.author());
    if (changed) call.host.refresh(call.store, {before->agent, changed->agent});  // it may lead to another agent now
    return answer_route(call, 200, changed);
}

AdminAnswered remove_tcp_route(AdminCall& call) {
    const auto removed = call.store.remove_tcp_route(store::RouteId{call.arguments[0]}, call.author());
    if (!removed) return told(removed);
    call.host.refresh(call.store, {removed->agent});
    return AdminAnswer{200, json::object{{"removed", removed->id.text}}};
}

}  // namespace sallyport::relay
