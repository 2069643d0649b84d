// route.h: a public name, where it leads and how. Plain values; the route table keeps them immutable.
#pragma once
#include <chrono>
#include <memory>
#include <optional>
#include <string>

#include "edge/route_policy.h"

namespace sallyport {

enum class ForwardClientIp { automatic, always, never };

struct Route {
    std::string id;
    std::string hostname;              // lower case; "*.example.org" stands for one label in front
    std::string path_prefix = "/";     // octet for octet; "/" for everything. "/a" fits "/a", "/a/…" and "/a?…", not "/ab"
    std::string agent_id;
    std::string agent_name;            // for pages and logs
    std::string target;
    bool enabled = true;
    bool strip_prefix = false;         // the origin sees the path without path_prefix
    bool preserve_host = true;         // else Host is the target's own name
    ForwardClientIp forward_client_ip = ForwardClientIp::automatic;
    std::optional<std::chrono::milliseconds> request_timeout;  // else the agent's
    std::shared_ptr<const RoutePolicy> policy;                 // null: none
};

}  // namespace sallyport
