// route_policy_json.h: a route's policy as JSON: how it is stored (one text column) and how the admin API speaks of it. Unknown
// members and bad values are refused with the member's name, so that a typing error never opens a route. Pure.
#pragma once
#include <boost/json.hpp>

#include <expected>
#include <memory>
#include <string>
#include <string_view>

#include "edge/route_policy.h"

namespace sallyport {

struct PolicyFault {
    std::string member;  // "deny_ips", "" if it is no single one's fault
    std::string detail;  // for the person who typed it; never shows a hash
};

// Null where the object changes nothing.
std::expected<std::shared_ptr<const RoutePolicy>, PolicyFault> read_route_policy(const boost::json::object& object);

// What the store holds. Text that can't be read gives a policy that serves nothing (RoutePolicy::unreadable).
std::shared_ptr<const RoutePolicy> load_route_policy(std::string_view stored);

// `stored` with the members of `change` put in; null takes a member out (RFC 7396, one level). Checked as a whole.
std::expected<std::string, PolicyFault> change_route_policy(std::string_view stored, const boost::json::object& change);

// For people: as stored, but of basic_auth the names alone.
boost::json::object show_route_policy(std::string_view stored);

}  // namespace sallyport
