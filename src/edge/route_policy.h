// route_policy.h: what a route does beyond leading somewhere: who may come, to which paths, with how much, and what is changed on
// the way (docs/routes.md). Plain values, made once when the routes are read (route_policy_json.h), then never changed: every loop
// reads the same one. A route that does nothing of this has none, which costs its requests the test of one pointer.
#pragma once
#include <chrono>
#include <optional>
#include <string>

#include "base/octets.h"
#include "edge/basic_auth.h"
#include "edge/field_edits.h"
#include "edge/ip_rules.h"
#include "edge/path_rules.h"

namespace sallyport {

struct RoutePolicy {
    enum class Preset { none, home_assistant, home_assistant_restricted };
    struct Maintenance {
        std::string text;  // "" for the usual one
        std::chrono::seconds retry_after{600};
    };

    Preset preset = Preset::none;  // what it stands for is in the members below
    IpRules addresses;
    std::optional<Maintenance> maintenance;  // nothing is served
    PathRules paths;
    std::optional<BasicAuth> basic_auth;
    std::optional<ByteCount> max_body;  // of a request's content
    std::optional<std::chrono::milliseconds> request_timeout;  // the preset's; a route's own goes before it
    std::optional<std::chrono::milliseconds> idle_timeout;     // of upgraded streams; at least kLeastIdleTimeout
    FieldEdits request_fields;
    FieldEdits response_fields;
    bool unreadable = false;  // what is stored can't be read by this release: nothing is served, rather than too much
};

// WebSockets of phones that sleep are silent for minutes.
inline constexpr std::chrono::minutes kLeastIdleTimeout{10};

}  // namespace sallyport
