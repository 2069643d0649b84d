#include "relay/admin_api.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <map>

#include "base/encoding.h"
#include "base/random.h"
#include "base/version.h"
#include "relay/openapi.h"
#include "relay/state_dir.h"
#include "store/credential.h"
#include "store/rules.h"
#include "wire/ed25519.h"
#include "wire/enrolment_code.h"
#include "wire/url.h"

namespace sallyport::relay {
namespace {

namespace json = boost::json;

constexpr std::string_view kPrefix = "/api/v1/";
constexpr std::size_t kMostBackup = 1_GiB;

// One request under way.
struct Call {
    store::Store& store;
    const std::vector<LiveAgent>& live;
    AdminHost& host;
    AdminHost::Facts facts;
    std::vector<std::string> arguments;  // what stands for the {} of the path
    json::object body;

    store::Author author() const { return {"admin-socket", wall_now()}; }
    const LiveAgent* live_agent(const store::AgentId& id) const {
        const auto found = std::ranges::find(live, id.text, &LiveAgent::agent_id);
        return found == live.end() ? nullptr : &*found;
    }
};

struct Answer {
    int status = 200;
    json::value content = nullptr;
    std::string octets{};  // instead of content, as application/octet-stream
};
using Answered = ApiResult<Answer>;

template <class T>
std::unexpected<ApiError> told(const Result<T>& failed, std::string field = {}) {
    ApiError error = api_error_of(failed.error());
    error.field = std::move(field);
    return std::unexpected(std::move(error));
}

// ---- agents

Result<store::Agent> find_agent(Call& call, const std::string& name) {
    auto agent = call.store.find_agent(name);
    if (!agent && agent.error().code == Errc::not_found) agent.error().detail = "no agent is named " + name;
    return agent;
}

ApiResult<std::map<std::string, std::string>> agent_names(Call& call) {
    const auto agents = call.store.list_agents();
    if (!agents) return told(agents);
    std::map<std::string, std::string> names;
    for (const store::Agent& agent : *agents) names[agent.id.text] = agent.name;
    return names;
}

json::array routes_of(const store::Agent& agent, const std::vector<store::Route>& routes, PublicPort port) {
    json::array listed;
    for (const store::Route& route : routes)
        if (route.agent == agent.id) listed.push_back(to_json(route, agent.name, port));
    return listed;
}

ApiResult<json::object> describe(Call& call, const store::Agent& agent) {
    const auto routes = call.store.list_routes();
    if (!routes) return told(routes);
    json::object described = to_json(agent, call.live_agent(agent.id));
    described["routes"] = routes_of(agent, *routes, call.facts.port);
    return described;
}

Answered list_agents(Call& call) {
    const auto agents = call.store.list_agents();
    const auto routes = call.store.list_routes();
    if (!agents) return told(agents);
    if (!routes) return told(routes);
    json::array listed;
    for (const store::Agent& agent : *agents) {
        json::object described = to_json(agent, call.live_agent(agent.id));
        described["routes"] = routes_of(agent, *routes, call.facts.port);
        listed.push_back(std::move(described));
    }
    return Answer{200, json::object{{"agents", std::move(listed)}}};
}

Answered show_agent(Call& call) {
    const auto agent = find_agent(call, call.arguments[0]);
    if (!agent) return told(agent);
    auto described = describe(call, *agent);
    if (!described) return std::unexpected(described.error());
    const auto credentials = call.store.list_credentials(agent->id);
    if (!credentials) return told(credentials);
    json::array listed;
    for (const store::Credential& credential : *credentials) listed.push_back(to_json(credential));
    (*described)["credentials"] = std::move(listed);
    return Answer{200, json::object{{"agent", std::move(*described)}}};
}

Result<std::string> url_for_codes_of(Call& call, const store::Agent& agent) {
    auto routes = call.store.list_routes();
    if (!routes) return std::unexpected(routes.error());
    std::erase_if(*routes, [&](const store::Route& route) { return route.agent != agent.id; });
    return enrolment_url(call.facts, *routes);
}

// Puts the new credential's secret into the answer, in the form in which it is used: shown this once.
ApiResult<> show_secret(Call& call, const store::Agent& agent, const store::IssuedCredential& issued, json::object& answer) {
    const std::string& id = issued.credential.id.text;
    switch (issued.credential.kind) {
        case store::CredentialKind::token: {
            answer["api_key"] = store::format_api_key(issued).reveal();
            return {};
        }
        case store::CredentialKind::device: {
            answer["device_id"] = id;
            answer["secret"] = issued.secret.reveal();
            return {};
        }
        default: break;
    }
    const auto url = url_for_codes_of(call, agent);
    if (!url) return told(url);
    EnrolmentCode code{*url, call.facts.pin, id, issued.secret, {}};
    for (const store::ProposedTarget& target : agent.proposed_targets) code.targets.push_back({target.name, target.url});
    const auto text = format_enrolment_code(code);
    if (!text) return told(text);
    answer["enroll"] = text->reveal();
    if (issued.credential.expires_at) answer["expires_at"] = iso_time(*issued.credential.expires_at);
    return {};
}

ApiResult<store::AgentKey> parse_key(const std::string& text) {
    const auto octets = from_base64url(text);
    if (!octets || octets->size() != kEd25519KeyOctets)
        return api_fail(422, "invalid_argument", "public_key has to be 43 characters of base64url, as the agent prints it", "public_key");
    store::AgentKey key;
    std::ranges::copy(as_octets(*octets), key.begin());
    return key;
}

// Says of which word a rule speaks.
template <class T>
Result<T> about(const std::string& word, Result<T> checked) {
    if (!checked && checked.error().detail.find(word) == std::string::npos) checked.error().detail = word + ": " + checked.error().detail;
    return checked;
}

// What an enrolment code can carry (wire/enrolment_code.h).
Result<> check_targets(const std::vector<store::ProposedTarget>& targets) {
    if (targets.size() > kMaxProposedTargets)
        return fail(Errc::invalid_argument, "an enrolment code carries at most " + std::to_string(kMaxProposedTargets) + " targets");
    for (const auto& [name, url] : targets) {
        if (name.empty() || name.size() > 64 || name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-_.") != std::string::npos)
            return fail(Errc::invalid_argument, "a target's name has 1 to 64 of a-z 0-9 - _ .");
        if (auto checked = parse_target_url(url); !checked) return std::unexpected(Error{checked.error().code, url + ": " + checked.error().detail});
    }
    return {};
}

// Hostnames are checked here for the field's sake; the store checks them again.
ApiResult<store::AgentSpec> read_agent(Call& call, std::optional<std::string>& public_key) {
    BodyReader body(call.body);
    store::AgentSpec spec;
    spec.name = body.require("name", body.text("name"));
    spec.concurrency_limit = body.number("concurrency_limit");
    spec.proposed_targets = body.targets("targets").value_or(std::vector<store::ProposedTarget>{});
    spec.credential = body.credential_kind("credential").value_or(store::CredentialKind::enrolment);
    auto hostnames = body.texts("hostnames");
    public_key = body.text("public_key");
    if (auto read = body.finish(); !read) return std::unexpected(read.error());

    if (const auto name = store::check_agent_name(spec.name); !name) return told(name, "name");
    if (const auto fits = check_targets(spec.proposed_targets); !fits) return told(fits, "targets");
    if (!hostnames && !call.facts.base_domain.empty()) hostnames = std::vector{spec.name + "." + call.facts.base_domain};
    for (const std::string& hostname : hostnames.value_or(std::vector<std::string>{})) {
        if (auto checked = store::check_hostname(hostname); !checked) return told(about(hostname, std::move(checked)), "hostnames");
        store::RouteSpec route;
        route.hostname = hostname;
        if (!spec.proposed_targets.empty()) route.target = spec.proposed_targets.front().name;
        spec.routes.push_back(std::move(route));
    }
    return spec;
}

Answered add_agent(Call& call) {
    std::optional<std::string> public_key;
    const auto spec = read_agent(call, public_key);
    if (!spec) return std::unexpected(spec.error());
    std::optional<store::AgentKey> key;
    if (public_key) {
        const auto parsed = parse_key(*public_key);
        if (!parsed) return std::unexpected(parsed.error());
        key = *parsed;
    }
    if (spec->credential == store::CredentialKind::enrolment && !key) {
        std::vector<store::Route> planned;
        for (const store::RouteSpec& route : spec->routes) planned.emplace_back().hostname = route.hostname;
        if (const auto url = enrolment_url(call.facts, planned); !url) return told(url);
    }

    const auto added = call.store.add_agent(*spec, call.author());
    if (!added) return told(added);
    json::object answer;
    if (key) {
        const auto enrolled = call.store.enrol_key(added->agent.name, *key, call.author());
        if (!enrolled) {
            (void)call.store.remove_agent(added->agent.name, call.author());
            return told(enrolled, "public_key");
        }
        if (const auto revoked = call.store.revoke_credential(added->issued.credential.id, call.author()); !revoked)
            return told(revoked);
    }
    call.host.refresh(call.store);
    auto described = describe(call, added->agent);
    if (!described) return std::unexpected(described.error());
    answer["agent"] = std::move(*described);
    if (!key)
        if (auto shown = show_secret(call, added->agent, added->issued, answer); !shown) return std::unexpected(shown.error());
    return Answer{201, std::move(answer)};
}

Answered change_agent(Call& call) {
    BodyReader body(call.body);
    const auto enabled = body.boolean("enabled");
    const auto limit = body.number("concurrency_limit");
    if (auto read = body.finish(); !read) return std::unexpected(read.error());
    auto agent = find_agent(call, call.arguments[0]);
    if (agent && enabled)
        agent = call.store.set_agent_enabled(agent->name, *enabled ? store::Enabled::yes : store::Enabled::no, call.author());
    if (agent && limit) agent = call.store.set_agent_limit(agent->name, limit, call.author());
    if (!agent) return told(agent);
    call.host.refresh(call.store);
    auto described = describe(call, *agent);
    if (!described) return std::unexpected(described.error());
    return Answer{200, json::object{{"agent", std::move(*described)}}};
}

Answered remove_agent(Call& call) {
    const auto agent = find_agent(call, call.arguments[0]);
    const auto removed = agent ? call.store.remove_agent(agent->name, call.author()) : agent;
    if (!removed) return told(removed);
    call.host.refresh(call.store);
    return Answer{200, json::object{{"removed", removed->name}}};
}

Answered rotate_agent(Call& call) {
    BodyReader body(call.body);
    const auto kind = body.credential_kind("credential").value_or(store::CredentialKind::enrolment);
    if (auto read = body.finish(); !read) return std::unexpected(read.error());
    const auto agent = find_agent(call, call.arguments[0]);
    if (!agent) return told(agent);
    // Before anything is revoked: a new credential that can't be shown would leave the home with none.
    if (kind == store::CredentialKind::enrolment)
        if (const auto url = url_for_codes_of(call, *agent); !url) return told(url);
    const auto issued = call.store.rotate_agent(agent->name, kind, call.author());
    if (!issued) return told(issued);
    call.host.refresh(call.store);
    json::object answer;
    auto described = describe(call, *agent);
    if (!described) return std::unexpected(described.error());
    answer["agent"] = std::move(*described);
    if (auto shown = show_secret(call, *agent, *issued, answer); !shown) return std::unexpected(shown.error());
    return Answer{200, std::move(answer)};
}

// ---- routes

Answered answer_route(Call& call, int status, const Result<store::Route>& route) {
    if (!route) return told(route);
    const auto agent = call.store.find_agent(route->agent);
    if (!agent) return told(agent);
    return Answer{status, json::object{{"route", to_json(*route, agent->name, call.facts.port)}}};
}

Answered list_routes(Call& call) {
    const auto routes = call.store.list_routes();
    if (!routes) return told(routes);
    const auto names = agent_names(call);
    if (!names) return std::unexpected(names.error());
    json::array listed;
    for (const store::Route& route : *routes) listed.push_back(to_json(route, names->at(route.agent.text), call.facts.port));
    return Answer{200, json::object{{"routes", std::move(listed)}}};
}

Answered show_route(Call& call) { return answer_route(call, 200, call.store.find_route(store::RouteId{call.arguments[0]})); }

store::Enabled enabled_of(bool value) { return value ? store::Enabled::yes : store::Enabled::no; }

Answered add_route(Call& call) {
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
    if (auto read = body.finish(); !read) return std::unexpected(read.error());
    if (auto checked = store::check_hostname(spec.hostname); !checked) return told(about(spec.hostname, std::move(checked)), "hostname");
    if (const auto checked = store::check_path_prefix(spec.path_prefix); !checked) return told(checked, "path_prefix");
    const auto owner = find_agent(call, agent);
    if (!owner) return told(owner, "agent");
    if (target) spec.target = *target;
    else if (!owner->proposed_targets.empty()) spec.target = owner->proposed_targets.front().name;
    if (const auto checked = store::check_target(spec.target); !checked) return told(checked, "target");

    const auto added = call.store.add_route(agent, spec, call.author());
    if (added) call.host.refresh(call.store);
    return answer_route(call, 201, added);
}

Answered change_route(Call& call) {
    BodyReader body(call.body);
    store::RouteChange change;
    change.target = body.text("target");
    change.agent = body.text("agent");
    if (const auto enabled = body.boolean("enabled")) change.enabled = enabled_of(*enabled);
    change.strip_prefix = body.boolean("strip_prefix");
    change.preserve_host = body.boolean("preserve_host");
    change.forward_client_ip = body.forward_client_ip("forward_client_ip");
    change.request_timeout = body.duration_or_null("request_timeout");
    if (auto read = body.finish(); !read) return std::unexpected(read.error());
    const auto changed = call.store.set_route(store::RouteId{call.arguments[0]}, change, call.author());
    if (changed) call.host.refresh(call.store);
    return answer_route(call, 200, changed);
}

Answered remove_route(Call& call) {
    const auto removed = call.store.remove_route(store::RouteId{call.arguments[0]}, call.author());
    if (!removed) return told(removed);
    call.host.refresh(call.store);
    return Answer{200, json::object{{"removed", removed->id.text}}};
}

// ---- the relay itself

// What an owner should know about a route whose Home Assistant doesn't hear the visitor's address.
std::optional<std::string> warning_of(const store::Route& route, const LiveAgent& live) {
    if (route.forward_client_ip == store::ForwardClientIp::always) return std::nullopt;
    const auto& targets = live.view->targets;
    const auto target = std::ranges::find(targets, route.target, &AgentView::Target::name);
    if (target == targets.end()) return route.hostname + ": the agent has no target named " + route.target;
    if (!target->home_assistant || target->forwarded_for == AgentView::ForwardedFor::accepted) return std::nullopt;
    if (target->trusted_networks && route.forward_client_ip == store::ForwardClientIp::automatic)
        return route.hostname +
               ": not served, since its login page lets local addresses in without a password (trusted_networks) and "
               "every visitor would look local; set use_x_forwarded_for and trusted_proxies in Home Assistant";
    return route.hostname +
           ": Home Assistant sees every visitor as the agent's own address; set use_x_forwarded_for and "
           "trusted_proxies there";
}

Answered show_status(Call& call) {
    const auto agents = call.store.list_agents();
    const auto routes = call.store.list_routes();
    if (!agents) return told(agents);
    if (!routes) return told(routes);
    json::array listeners;
    for (const AdminHost::Listener& listener : call.facts.listeners)
        listeners.push_back({{"name", listener.name}, {"address", listener.address}});
    json::array warnings;
    for (const store::Route& route : *routes)
        if (const LiveAgent* live = call.live_agent(route.agent); live && route.enabled == store::Enabled::yes)
            if (auto warning = warning_of(route, *live)) warnings.emplace_back(std::move(*warning));
    return Answer{200, json::object{{"version", kVersion},
                                    {"pin", call.facts.pin},
                                    {"public_url", call.facts.public_url},
                                    {"base_domain", call.facts.base_domain},
                                    {"state_dir", call.facts.state_dir.string()},
                                    {"started_at", iso_time(call.facts.started_at)},
                                    {"uptime_s", (wall_now() - call.facts.started_at).count()},
                                    {"loops", call.facts.loops},
                                    {"open_connections", call.host.open_connections()},
                                    {"agents", json::object{{"total", agents->size()}, {"online", call.live.size()}}},
                                    {"routes", routes->size()},
                                    {"listeners", std::move(listeners)},
                                    {"warnings", std::move(warnings)}}};
}

Answered reload(Call& call) {
    const auto notes = call.host.reload(call.store);
    if (!notes) return told(notes);
    return Answer{200, json::object{{"reloaded", true}, {"notes", json::value_from(*notes)}}};
}

Answered show_audit(Call& call) {
    const auto entries = call.store.list_audit(200);
    if (!entries) return told(entries);
    json::array listed;
    for (const store::AuditEntry& entry : *entries)
        listed.push_back({{"at", iso_time(entry.at)},
                          {"actor", entry.actor},
                          {"action", entry.action},
                          {"subject", entry.subject},
                          {"detail", entry.detail}});
    return Answer{200, json::object{{"audit", std::move(listed)}}};
}

// The copy is made in the state folder, where the relay may write, and handed out as octets.
Answered backup(Call& call) {
    const auto files = call.host.backup_files();
    if (!files) return told(files);
    const std::filesystem::path copy = call.facts.state_dir / (".backup-" + random_token(8));
    const auto written = call.store.backup_to(copy, *files, call.author());
    auto octets = written ? read_whole(copy, kMostBackup) : Result<std::string>(std::unexpected(written.error()));
    ::unlink(copy.c_str());
    if (!octets) return told(octets);
    return Answer{200, nullptr, std::move(*octets)};
}

// ---- dispatch

struct Endpoint {
    std::string_view method;
    std::string_view path;  // behind /api/v1/; {} stands for one segment
    Answered (*run)(Call&);
};
constexpr std::array kEndpoints{
    Endpoint{"GET", "status", show_status},
    Endpoint{"GET", "audit", show_audit},
    Endpoint{"POST", "reload", reload},
    Endpoint{"POST", "backup", backup},
    Endpoint{"GET", "agents", list_agents},
    Endpoint{"POST", "agents", add_agent},
    Endpoint{"GET", "agents/{}", show_agent},
    Endpoint{"PATCH", "agents/{}", change_agent},
    Endpoint{"DELETE", "agents/{}", remove_agent},
    Endpoint{"POST", "agents/{}/rotate", rotate_agent},
    Endpoint{"GET", "routes", list_routes},
    Endpoint{"POST", "routes", add_route},
    Endpoint{"GET", "routes/{}", show_route},
    Endpoint{"PATCH", "routes/{}", change_route},
    Endpoint{"DELETE", "routes/{}", remove_route},
};

std::string_view take_segment(std::string_view& path) {
    const std::size_t slash = path.find('/');
    const std::string_view segment = path.substr(0, slash);
    path.remove_prefix(slash == std::string_view::npos ? path.size() : slash + 1);
    return segment;
}

std::optional<std::vector<std::string>> match(std::string_view pattern, std::string_view path) {
    if (path.ends_with('/')) return std::nullopt;
    std::vector<std::string> arguments;
    while (!pattern.empty() && !path.empty()) {
        const std::string_view wanted = take_segment(pattern);
        const std::string_view given = take_segment(path);
        if (wanted == "{}" && !given.empty()) arguments.emplace_back(given);
        else if (wanted != given) return std::nullopt;
    }
    if (!pattern.empty() || !path.empty()) return std::nullopt;
    return arguments;
}

Answered run(const LocalRequest& request, store::Store& store, const std::vector<LiveAgent>& live, AdminHost& host) {
    std::string_view path = request.path;
    if (!path.starts_with(kPrefix)) return api_fail(404, "not_found", "the API begins with " + std::string(kPrefix));
    path.remove_prefix(kPrefix.size());
    bool known_path = false;
    for (const Endpoint& endpoint : kEndpoints) {
        auto arguments = match(endpoint.path, path);
        if (!arguments) continue;
        known_path = true;
        if (endpoint.method != request.method) continue;
        auto body = parse_body(request.content);
        if (!body) return std::unexpected(body.error());
        Call call{store, live, host, host.facts(), std::move(*arguments), std::move(*body)};
        return endpoint.run(call);
    }
    if (known_path) return api_fail(405, "method_not_allowed", "that path knows no " + request.method);
    return api_fail(404, "not_found", "no such path; see " + std::string(kPrefix) + "openapi.json");
}

}  // namespace

LocalResponse answer_admin(const LocalRequest& request, store::Store& store, const std::vector<LiveAgent>& live, AdminHost& host) {
    LocalResponse response;
    auto answered = run(request, store, live, host);
    if (!answered) {
        response.status = answered.error().status;
        response.content = json::serialize(to_json(answered.error()));
    } else if (!answered->octets.empty()) {
        response.content_type = "application/octet-stream";
        response.content = std::move(answered->octets);
    } else {
        response.status = answered->status;
        response.content = json::serialize(answered->content);
    }
    return response;
}

Result<std::string> enrolment_url(const AdminHost::Facts& facts, const std::vector<store::Route>& routes) {
    if (!facts.public_url.empty()) return facts.public_url;
    if (!facts.loopback_url.empty()) return facts.loopback_url;
    for (const store::Route& route : routes)
        if (!route.hostname.starts_with("*.")) return "https://" + route.hostname + facts.port.suffix();
    if (!facts.base_domain.empty()) return "https://" + facts.base_domain + facts.port.suffix();
    return fail(Errc::invalid_argument,
                "an enrolment code has to name an address of the relay: set public_url, or give the agent a hostname");
}

void AdminApi::handle(LocalRequest request, Reply reply) {
    if (request.method == "GET" && request.path == "/api/v1/openapi.json") {
        LocalResponse response;
        response.content = kOpenApiDocument;
        return reply(std::move(response));
    }
    agents_.collect_live([this, request = std::move(request), reply = std::move(reply)](std::vector<LiveAgent> live) mutable {
        // A job that can't be queued dies with its reply, which the edge then answers with 500.
        (void)store_.submit([this, request = std::move(request), reply = std::move(reply),
                             live = std::move(live)](store::Store& store) mutable {
            reply(answer_admin(request, store, live, host_));
        });
    });
}

}  // namespace sallyport::relay
