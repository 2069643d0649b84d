#include "relay/api_json.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>

#include "base/encoding.h"
#include "edge/route_policy_json.h"
#include "relay/ssh_key_rules.h"
#include "store/credential.h"
#include "wire/duration.h"

namespace sallyport::relay {
namespace {

namespace json = boost::json;

json::value optional_time(const std::optional<WallTime>& time) {
    return time ? json::value(iso_time(*time)) : json::value(nullptr);
}

std::string_view name_of(AgentView::ForwardedFor value) {
    switch (value) {
        case AgentView::ForwardedFor::accepted: return "accepted";
        case AgentView::ForwardedFor::refused: return "refused";
        case AgentView::ForwardedFor::unknown: break;
    }
    return "unknown";
}

json::object to_json(const RefusedNewcomer& newcomer) {
    return {{"peer", newcomer.peer},
            {"first_refused_at", iso_time(newcomer.first_at)},
            {"last_refused_at", iso_time(newcomer.last_at)},
            {"attempts", newcomer.attempts},
            {"takes_over", newcomer.preferred}};
}

json::object to_json(const LiveAgent& live) {
    json::array targets;
    for (const AgentView::Target& target : live.view->targets)
        targets.push_back({{"name", target.name},
                           {"home_assistant", target.home_assistant},
                           {"forwarded_for", name_of(target.forwarded_for)},
                           {"trusted_networks", target.trusted_networks}});
    return {{"session", live.session_id},
            {"peer", live.peer},
            {"version", live.version},
            {"connected_at", iso_time(live.connected_at)},
            {"round_trip_ms", static_cast<double>(live.round_trip.count()) / 1000},
            {"open_streams", live.open_streams},
            {"requests_in_flight", live.requests_in_flight},
            {"concurrency_limit", live.view->concurrency_limit},
            {"request_timeout", format_duration(live.view->request_timeout)},
            {"targets", std::move(targets)},
            {"refused_newcomer", live.refused ? json::value(to_json(*live.refused)) : json::value(nullptr)}};
}

}  // namespace

ApiError api_error_of(const Error& error) {
    const std::string reason{sallyport::name_of(error.code)};
    switch (error.code) {
        case Errc::not_found: return {404, reason, error.detail};
        case Errc::conflict: return {409, reason, error.detail};
        case Errc::invalid_argument:
        case Errc::invalid_config:
        case Errc::too_large: return {422, reason, error.detail};
        case Errc::would_block:
        case Errc::timeout: return {503, reason, error.detail};
        case Errc::no_space: return {507, reason, error.detail};
        default: return {500, reason, error.detail};
    }
}

json::object to_json(const ApiError& error) {
    json::object inner{{"status", error.status}, {"reason", error.reason}, {"detail", error.detail}};
    if (!error.field.empty()) inner["field"] = error.field;
    return {{"error", std::move(inner)}};
}

std::string iso_time(WallTime time) {
    return fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(WallClock::to_time_t(time)));
}

std::string_view name_of(store::ForwardClientIp value) {
    switch (value) {
        case store::ForwardClientIp::always: return "always";
        case store::ForwardClientIp::never: return "never";
        case store::ForwardClientIp::automatic: break;
    }
    return "auto";
}

json::object to_json(const store::Route& route, std::string_view agent_name, PublicPort port) {
    return {{"id", route.id.text},
            {"url", public_url_of(route, port)},
            {"hostname", route.hostname},
            {"path_prefix", route.path_prefix},
            {"agent", agent_name},
            {"target", route.target},
            {"enabled", route.enabled == store::Enabled::yes},
            {"strip_prefix", route.strip_prefix},
            {"preserve_host", route.preserve_host},
            {"forward_client_ip", name_of(route.forward_client_ip)},
            {"request_timeout", route.request_timeout ? json::value(format_duration(*route.request_timeout)) : json::value(nullptr)},
            {"policy", show_route_policy(route.policy)},
            {"health_path", route.health_path.empty() ? json::value(nullptr) : json::value(route.health_path)},
            {"created_at", iso_time(route.created_at)}};
}

json::object to_json(const RouteHealth& health) {
    const bool bad = health.state == RouteHealth::State::unhealthy;
    const bool known = health.since != WallTime{};
    return {{"state", name_of(health.state)},
            {"hop", bad ? json::value(name_of(health.hop)) : json::value(nullptr)},
            {"cause", bad ? json::value(health.cause) : json::value(nullptr)},
            {"detail", bad ? json::value(health.detail) : json::value(nullptr)},
            {"since", known ? json::value(iso_time(health.since)) : json::value(nullptr)},
            {"probed_at", optional_time(health.probed_at)},
            {"took_ms", health.probed_at ? json::value(health.took.count()) : json::value(nullptr)}};
}

json::object to_json(const store::Credential& credential) {
    const std::string fingerprint = fingerprint_of(credential);
    return {{"id", credential.id.text},
            {"kind", store::name_of(credential.kind)},
            {"public_key", credential.public_key ? json::value(to_base64url(*credential.public_key)) : json::value(nullptr)},
            {"fingerprint", fingerprint.empty() ? json::value(nullptr) : json::value(fingerprint)},
            {"ssh_key", credential.ssh_key ? json::value(credential.ssh_key->line) : json::value(nullptr)},
            {"created_at", iso_time(credential.created_at)},
            {"expires_at", optional_time(credential.expires_at)},
            {"used_at", optional_time(credential.used_at)},
            {"retires_at", optional_time(credential.retires_at)},
            {"revoked", credential.revoked}};
}

json::object to_json(const store::Agent& agent, const LiveAgent* live) {
    json::array proposed;
    for (const store::ProposedTarget& target : agent.proposed_targets)
        proposed.push_back({{"name", target.name}, {"url", target.url}});
    return {{"id", agent.id.text},
            {"name", agent.name},
            {"enabled", agent.enabled == store::Enabled::yes},
            {"online", live != nullptr},
            {"created_at", iso_time(agent.created_at)},
            {"last_seen_at", live ? json::value(iso_time(wall_now())) : optional_time(agent.last_seen_at)},
            {"concurrency_limit", agent.concurrency_limit ? json::value(*agent.concurrency_limit) : json::value(nullptr)},
            {"proposed_targets", std::move(proposed)},
            {"tunnel", live ? json::value(to_json(*live)) : json::value(nullptr)}};
}

// ---- BodyReader

const json::value* BodyReader::find(std::string_view name) {
    known_.push_back(name);
    return object_.if_contains(name);
}

void BodyReader::refuse(std::string_view name, std::string detail) {
    if (!error_) error_ = ApiError{422, "invalid_argument", std::string(name) + " " + detail, std::string(name)};
}

std::optional<std::string> BodyReader::text(std::string_view name) {
    const json::value* value = find(name);
    if (!value) return std::nullopt;
    if (const auto* string = value->if_string()) return std::string(string->begin(), string->end());
    refuse(name, "has to be a string");
    return std::nullopt;
}

std::optional<std::string> BodyReader::text_or_null(std::string_view name) {
    const json::value* value = object_.if_contains(name);
    if (!value || !value->is_null()) return text(name);
    known_.push_back(name);
    return std::string();
}

std::optional<bool> BodyReader::boolean(std::string_view name) {
    const json::value* value = find(name);
    if (!value) return std::nullopt;
    if (const bool* boolean = value->if_bool()) return *boolean;
    refuse(name, "has to be true or false");
    return std::nullopt;
}

std::optional<std::uint32_t> BodyReader::number(std::string_view name) {
    const json::value* value = find(name);
    if (!value) return std::nullopt;
    if (value->is_int64() && value->get_int64() > 0 && value->get_int64() <= 1'000'000)
        return static_cast<std::uint32_t>(value->get_int64());
    refuse(name, "has to be a whole number from 1 to 1000000");
    return std::nullopt;
}

std::optional<std::vector<std::string>> BodyReader::texts(std::string_view name) {
    const json::value* value = find(name);
    if (!value) return std::nullopt;
    const json::array* array = value->if_array();
    if (!array || !std::ranges::all_of(*array, &json::value::is_string)) {
        refuse(name, "has to be a list of strings");
        return std::nullopt;
    }
    std::vector<std::string> texts;
    for (const json::value& item : *array) texts.emplace_back(item.get_string().begin(), item.get_string().end());
    return texts;
}

std::optional<std::optional<json::object>> BodyReader::object_or_null(std::string_view name) {
    const json::value* value = find(name);
    if (!value) return std::nullopt;
    if (value->is_null()) return std::optional<json::object>{};
    if (const json::object* object = value->if_object()) return *object;
    refuse(name, "has to be an object");
    return std::nullopt;
}

std::optional<std::vector<store::ProposedTarget>> BodyReader::targets(std::string_view name) {
    const json::value* value = find(name);
    if (!value) return std::nullopt;
    std::vector<store::ProposedTarget> targets;
    const json::array* array = value->if_array();
    for (const json::value& item : array ? *array : json::array{}) {
        const json::object* object = item.if_object();
        if (!object) {
            array = nullptr;
            break;
        }
        BodyReader reader(*object);
        targets.push_back({reader.require("name", reader.text("name")), reader.require("url", reader.text("url"))});
        if (auto read = reader.finish(); !read && !error_) error_ = read.error();
    }
    if (array) return targets;
    refuse(name, "has to be a list of objects with name and url");
    return std::nullopt;
}

std::optional<std::optional<std::chrono::milliseconds>> BodyReader::duration_or_null(std::string_view name) {
    const json::value* value = find(name);
    if (!value) return std::nullopt;
    if (value->is_null()) return std::optional<std::chrono::milliseconds>{};
    const auto given = text(name);
    if (!given) return std::nullopt;
    const auto parsed = parse_duration(*given);
    if (!parsed) {
        refuse(name, "is no duration: " + parsed.error().detail);
        return std::nullopt;
    }
    return std::chrono::duration_cast<std::chrono::milliseconds>(*parsed);
}

std::optional<store::ForwardClientIp> BodyReader::forward_client_ip(std::string_view name) {
    const auto given = text(name);
    if (!given) return std::nullopt;
    for (const auto value : {store::ForwardClientIp::automatic, store::ForwardClientIp::always, store::ForwardClientIp::never})
        if (relay::name_of(value) == *given) return value;
    refuse(name, "has to be auto, always or never");
    return std::nullopt;
}

std::optional<store::CredentialKind> BodyReader::credential_kind(std::string_view name) {
    const auto given = text(name);
    if (!given) return std::nullopt;
    for (const auto kind : {store::CredentialKind::enrolment, store::CredentialKind::token, store::CredentialKind::device})
        if (store::name_of(kind) == *given) return kind;
    refuse(name, "has to be enrolment, token or device");
    return std::nullopt;
}

ApiResult<> BodyReader::finish() {
    for (const auto& member : object_) {
        const std::string_view name = member.key();
        if (std::ranges::find(known_, name) == known_.end()) refuse(name.substr(0, 64), "is not known");
    }
    if (error_) return std::unexpected(*error_);
    return {};
}

ApiResult<json::object> parse_body(std::string_view content) {
    if (content.empty()) return json::object{};
    boost::system::error_code failed;
    json::value value = json::parse(content, failed);
    if (failed || !value.is_object()) return api_fail(400, "protocol", "the content has to be one JSON object");
    return std::move(value.get_object());
}

}  // namespace sallyport::relay
