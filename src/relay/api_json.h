// api_json.h: the admin API's JSON: what the store and the loops know as JSON values, and strict reading of request bodies. Pure.
#pragma once
#include <boost/json.hpp>

#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "relay/directory.h"
#include "relay/loop_agents.h"
#include "store/store.h"

namespace sallyport::relay {

// What an administrator gets to read: unlike visitors he is told what exactly was wrong.
struct ApiError {
    int status = 400;
    std::string reason;  // snake_case, stable: "conflict"
    std::string detail;
    std::string field{};  // of the request's content, "" if it is no single one's fault
};
template <class T = void>
using ApiResult = std::expected<T, ApiError>;

inline std::unexpected<ApiError> api_fail(int status, std::string reason, std::string detail, std::string field = {}) {
    return std::unexpected(ApiError{status, std::move(reason), std::move(detail), std::move(field)});
}
ApiError api_error_of(const Error& error);
boost::json::object to_json(const ApiError& error);

std::string iso_time(WallTime time);  // RFC 3339 in UTC: "2026-11-20T07:15:00Z"
std::string_view name_of(store::ForwardClientIp value);  // auto, always, never

boost::json::object to_json(const store::Route& route, std::string_view agent_name, PublicPort port);
boost::json::object to_json(const RouteHealth& health);
boost::json::object to_json(const store::Credential& credential);
// `live` null: not connected.
boost::json::object to_json(const store::Agent& agent, const LiveAgent* live);

// Reads the members of one JSON object. The first thing that is wrong is kept and told by finish(); an unknown member is wrong,
// so that a typing error never passes for a default.
class BodyReader {
public:
    explicit BodyReader(const boost::json::object& object) : object_(object) {}

    std::optional<std::string> text(std::string_view name);
    std::optional<std::string> text_or_null(std::string_view name);  // null is ""
    std::optional<bool> boolean(std::string_view name);
    std::optional<std::uint32_t> number(std::string_view name);
    std::optional<std::vector<std::string>> texts(std::string_view name);
    std::optional<std::optional<boost::json::object>> object_or_null(std::string_view name);  // as with durations
    std::optional<std::vector<store::ProposedTarget>> targets(std::string_view name);
    // "30s" sets, null takes back to the default: the outer optional says whether the member is there.
    std::optional<std::optional<std::chrono::milliseconds>> duration_or_null(std::string_view name);
    std::optional<store::ForwardClientIp> forward_client_ip(std::string_view name);
    std::optional<store::CredentialKind> credential_kind(std::string_view name);

    template <class T>
    T require(std::string_view name, std::optional<T> value) {
        if (!value) refuse(name, "is missing");
        return std::move(value).value_or(T{});
    }
    void refuse(std::string_view name, std::string detail);
    ApiResult<> finish();

private:
    const boost::json::value* find(std::string_view name);
    const boost::json::object& object_;
    std::vector<std::string_view> known_;
    std::optional<ApiError> error_;
};

// The whole content as one JSON object of at most 32 levels; nothing at all is an empty one.
ApiResult<boost::json::object> parse_body(std::string_view content);

}  // namespace sallyport::relay
