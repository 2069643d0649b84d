#include "relay/admin_api.h"

#include <array>

#include "relay/admin_agents.h"
#include "relay/admin_bans.h"
#include "relay/admin_call.h"
#include "relay/admin_routes.h"
#include "relay/admin_status.h"
#include "relay/admin_tcp_routes.h"
#include "relay/openapi.h"

namespace sallyport::relay {
namespace {

namespace json = boost::json;

constexpr std::string_view kPrefix = "/api/v1/";

// Which connected agents an endpoint wants to know: gathering ten thousand for the change of one would take longer than it.
enum class Live { none, named, all };  // named: by the first {} of the path

struct Endpoint {
    std::string_view method;
    std::string_view path;  // behind /api/v1/; {} stands for one segment
    AdminAnswered (*run)(AdminCall&);
    Live live = Live::none;
};
constexpr std::array kEndpoints{
    Endpoint{"GET", "status", show_status, Live::all},
    Endpoint{"GET", "audit", show_audit},
    Endpoint{"POST", "reload", reload},
    Endpoint{"POST", "backup", backup},
    Endpoint{"GET", "agents", list_agents, Live::all},
    Endpoint{"POST", "agents", add_agent},
    Endpoint{"GET", "agents/{}", show_agent, Live::named},
    Endpoint{"PATCH", "agents/{}", change_agent, Live::named},
    Endpoint{"DELETE", "agents/{}", remove_agent, Live::named},
    Endpoint{"POST", "agents/{}/rotate", rotate_agent, Live::named},
    Endpoint{"POST", "agents/{}/keys", add_keys, Live::named},
    Endpoint{"DELETE", "agents/{}/credentials/{}", revoke_credential, Live::named},
    Endpoint{"POST", "agents/{}/takeover", take_over_agent, Live::named},
    Endpoint{"GET", "routes", list_routes},
    Endpoint{"POST", "routes", add_route},
    Endpoint{"GET", "routes/{}", show_route},
    Endpoint{"PATCH", "routes/{}", change_route},
    Endpoint{"DELETE", "routes/{}", remove_route},
    Endpoint{"GET", "tcp-routes", list_tcp_routes},
    Endpoint{"POST", "tcp-routes", add_tcp_route},
    Endpoint{"PATCH", "tcp-routes/{}", change_tcp_route},
    Endpoint{"DELETE", "tcp-routes/{}", remove_tcp_route},
    Endpoint{"GET", "bans", list_bans},
    Endpoint{"DELETE", "bans/{}", lift_ban},
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

struct Found {
    const Endpoint* endpoint;
    std::vector<std::string> arguments;
};

ApiResult<Found> find_endpoint(const LocalRequest& request) {
    std::string_view path = request.path;
    if (!path.starts_with(kPrefix)) return api_fail(404, "not_found", "the API begins with " + std::string(kPrefix));
    path.remove_prefix(kPrefix.size());
    bool known_path = false;
    for (const Endpoint& endpoint : kEndpoints) {
        auto arguments = match(endpoint.path, path);
        if (!arguments) continue;
        known_path = true;
        if (endpoint.method == request.method) return Found{&endpoint, std::move(*arguments)};
    }
    if (known_path) return api_fail(405, "method_not_allowed", "that path knows no " + request.method);
    return api_fail(404, "not_found", "no such path; see " + std::string(kPrefix) + "openapi.json");
}

AdminAnswered run(const LocalRequest& request, store::Store& store, const std::vector<LiveAgent>& live, AdminHost& host) {
    auto found = find_endpoint(request);
    if (!found) return std::unexpected(found.error());
    auto body = parse_body(request.content);
    if (!body) return std::unexpected(body.error());
    AdminCall call{store, live, host, host.facts(), std::move(found->arguments), std::move(*body)};
    return found->endpoint->run(call);
}

// Nothing was done, and in a moment it can be: while the store passes to another process, or has too much to do.
LocalResponse try_again_soon(const Error& error) {
    LocalResponse response;
    response.status = 503;
    response.content = json::serialize(to_json(ApiError{503, std::string(name_of(error.code)), error.detail + "; try again in a moment"}));
    response.fields.emplace_back("Retry-After", "1");
    return response;
}

LocalResponse answer_upgrade(const Result<UpgradeOutcome>& outcome) {
    LocalResponse response;
    if (!outcome) {
        ApiError error = api_error_of(outcome.error());
        if (outcome.error().code != Errc::conflict) error = {500, "upgrade_failed", "the relay goes on as before: " + outcome.error().detail};
        response.status = error.status;
        response.content = json::serialize(to_json(error));
        return response;
    }
    json::array steps;
    for (const UpgradeStep& step : outcome->steps) steps.push_back({{"at_ms", step.at.count()}, {"text", step.text}});
    response.content = json::serialize(json::object{{"pid", outcome->pid}, {"version", outcome->version}, {"steps", std::move(steps)}});
    return response;
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
    if (request.method == "POST" && request.path == "/api/v1/upgrade")
        return host_.upgrade([reply = std::move(reply)](Result<UpgradeOutcome> outcome) mutable { reply(answer_upgrade(outcome)); });
    const auto found = find_endpoint(request);
    const Live wanted = found ? found->endpoint->live : Live::none;
    const std::string name = wanted == Live::named ? found->arguments[0] : "";
    auto answer = [this, request = std::move(request), reply = std::move(reply)](std::vector<LiveAgent> live) mutable {
        auto kept = std::make_shared<Reply>(std::move(reply));
        const auto submitted = store_.submit([this, request = std::move(request), kept, live = std::move(live)](store::Store& store) {
            (*kept)(answer_admin(request, store, live, host_));
        });
        if (!submitted) (*kept)(try_again_soon(submitted.error()));
    };
    if (wanted == Live::none) return answer({});
    agents_.collect_live(name, std::move(answer));
}

}  // namespace sallyport::relay
