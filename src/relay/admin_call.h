// admin_call.h: one request to the admin API under way, what it is answered, and the steps that all its endpoints share. On the
// store's thread.
#pragma once
#include <boost/json.hpp>

#include <map>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "relay/admin_api.h"

namespace sallyport::relay {

struct AdminCall {
    store::Store& store;
    const std::vector<LiveAgent>& live;
    AdminHost& host;
    AdminHost::Facts facts;
    std::vector<std::string> arguments;  // what stands for the {} of the path
    boost::json::object body;
    std::unordered_map<std::string_view, const LiveAgent*> live_by_id{};  // of `live`; made when first asked

    store::Author author() const { return {"admin-socket", wall_now()}; }
    const LiveAgent* live_agent(const store::AgentId& id);  // null: not connected
};

struct AdminAnswer {
    int status = 200;
    boost::json::value content = nullptr;
    std::string octets{};  // instead of content, as application/octet-stream
};
using AdminAnswered = ApiResult<AdminAnswer>;

// The API's error for one of the store or a rule; `field` is the member of the request that is wrong.
template <class T>
std::unexpected<ApiError> told(const Result<T>& failed, std::string field = {}) {
    ApiError error = api_error_of(failed.error());
    error.field = std::move(field);
    return std::unexpected(std::move(error));
}

// Says of which word a rule speaks.
template <class T>
Result<T> about(const std::string& word, Result<T> checked) {
    if (!checked && checked.error().detail.find(word) == std::string::npos) checked.error().detail = word + ": " + checked.error().detail;
    return checked;
}

Result<store::Agent> find_agent(AdminCall& call, const std::string& name);

// What is known of the way to the route's service. Nothing: the route is disabled.
std::optional<RouteHealth> health_of(AdminCall& call, const store::RouteId& route, store::Enabled enabled, const store::Agent& agent);
// The route as the API shows it.
boost::json::object describe_route(AdminCall& call, const store::Route& route, const store::Agent& agent);

// As SSH clients reach the relay: the host of public_url, else base_domain, else where it listens.
std::string ssh_host(const AdminHost::Facts& facts);

ApiResult<std::map<std::string, store::Agent>> agents_by_id(AdminCall& call);  // by id

}  // namespace sallyport::relay
