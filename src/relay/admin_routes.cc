#include "relay/admin_routes.h"

#include "edge/route_policy_json.h"
#include "store/rules.h"

namespace sallyport::relay {
namespace {

namespace json = boost::json;

AdminAnswered answer_route(AdminCall& call, int status, const Result<store::Route>& route) {
    if (!route) return told(route);
    const auto agent = call.store.find_agent(route->agent);
    if (!agent) return told(agent);
    return AdminAnswer{status, json::object{{"route", describe_route(call, *route, *agent)}}};
}

store::Enabled enabled_of(bool value) { return value ? store::Enabled::yes : store::Enabled::no; }

// Nobody else changes it meanwhile: all changes are made on this thread.
ApiResult<std::string> changed_policy(std::string_view stored, const json::object& change) {
    auto text = change_route_policy(stored, change);
    if (text) return std::move(*text);
    const auto& [member, detail] = text.error();
    const std::string field = member.empty() ? "policy" : "policy." + member;
    return api_fail(422, "invalid_argument", (member.empty() ? "policy" : member) + " " + detail, field);
}

}  // namespace

AdminAnswered list_routes(AdminCall& call) {
    const auto routes = call.store.list_routes();
    if (!routes) return told(routes);
    const auto agents = agents_by_id(call);
    if (!agents) return std::unexpected(agents.error());
    json::array listed;
    for (const store::Route& route : *routes) listed.push_back(describe_route(call, route, agents->at(route.agent.text)));
    return AdminAnswer{200, json::object{{"routes", std::move(listed)}}};
}

AdminAnswered show_route(AdminCall& call) { return answer_route(call, 200, call.store.find_route(store::RouteId{call.arguments[0]})); }

AdminAnswered add_route(AdminCall& call) {
    BodyReader body(call.body);
    store::RouteSpec spec;
    spec.hostname = body.require("hostname", body.text("hostname"));
    const std::string agent = body.require("agent", body.text("agent"));
    spec.path_prefix = body.text("path_prefix").value_or("/");
    const auto target = body.text("target");
    spec.enabled = enabled_of(body.boolean("enabled").value_or(true));
    spec.strip_prefix = body.boolean("strip_prefix").value_or(false);
    spec.preserve_host = body.boolean("preserve_host").value_or(true);
    spec.forward_client_ip = body.forward_client_ip("forward_client_ip").value_or(store::ForwardClientIp::automatic);
    spec.request_timeout = body.duration_or_null("request_timeout").value_or(std::nullopt);
    spec.health_path = body.text_or_null("health_path").value_or("");
    const auto policy = body.object_or_null("policy");
    if (auto read = body.finish(); !read) return std::unexpected(read.error());
    if (auto checked = store::check_hostname(spec.hostname); !checked) return told(about(spec.hostname, std::move(checked)), "hostname");
    if (const auto checked = store::check_path_prefix(spec.path_prefix); !checked) return told(checked, "path_prefix");
    if (!spec.health_path.empty())
        if (const auto checked = store::check_health_path(spec.health_path); !checked) return told(checked, "health_path");
    const auto owner = find_agent(call, agent);
    if (!owner) return told(owner, "agent");
    if (target) spec.target = *target;
    else if (!owner->proposed_targets.empty()) spec.target = owner->proposed_targets.front().name;
    if (const auto checked = store::check_target(spec.target); !checked) return told(checked, "target");

    if (policy && *policy) {
        auto text = changed_policy(spec.policy, **policy);
        if (!text) return std::unexpected(text.error());
        spec.policy = std::move(*text);
    }
    const auto added = call.store.add_route(agent, spec, call.author());
    if (added) call.host.refresh(call.store, {added->agent});
    return answer_route(call, 201, added);
}

AdminAnswered change_route(AdminCall& call) {
    BodyReader body(call.body);
    store::RouteChange change;
    change.target = body.text("target");
    change.agent = body.text("agent");
    if (const auto enabled = body.boolean("enabled")) change.enabled = enabled_of(*enabled);
    change.strip_prefix = body.boolean("strip_prefix");
    change.preserve_host = body.boolean("preserve_host");
    change.forward_client_ip = body.forward_client_ip("forward_client_ip");
    change.request_timeout = body.duration_or_null("request_timeout");
    change.health_path = body.text_or_null("health_path");
    const auto policy = body.object_or_null("policy");
    if (auto read = body.finish(); !read) return std::unexpected(read.error());
    if (change.health_path && !change.health_path->empty())
        if (const auto checked = store::check_health_path(*change.health_path); !checked) return told(checked, "health_path");
    const store::RouteId id{call.arguments[0]};
    const auto before = call.store.find_route(id);
    if (!before) return told(before);
    if (policy && !*policy) {
        change.policy = "{}";
    } else if (policy) {
        auto text = changed_policy(before->policy, **policy);
        if (!text) return std::unexpected(text.error());
        change.policy = std::move(*text);
    }
    const auto changed = call.store.set_route(id, change, call.author());
    if (changed) call.host.refresh(call.store, {before->agent, changed->agent});  // it may lead to another agent now
    return answer_route(call, 200, changed);
}

AdminAnswered remove_route(AdminCall& call) {
    const auto removed = call.store.remove_route(store::RouteId{call.arguments[0]}, call.author());
    if (!removed) return told(removed);
    call.host.refresh(call.store, {removed->agent});
    return AdminAnswer{200, json::object{{"removed", removed->id.text}}};
}

}  // namespace sallyport::relay
