// route_gate.h: judges a request by its route's policy, before anything is asked of the agent. Passwords are another matter
// (password_checker.h): here it is only said that one has to be judged. Pure.
#pragma once
#include <cstdint>
#include <optional>
#include <string_view>

#include "edge/edge_metrics.h"
#include "edge/problem.h"
#include "edge/route.h"
#include "wire/http1_message.h"

namespace sallyport {

struct GateRefusal {
    PolicyRefusal reason;
    Problem told;  // its texts are the policy's or of static life
};

// What the origin will get as path. `memory` holds it where it isn't a part of the request's.
std::string_view path_at_origin(const Route& route, const RequestHead& head, std::string& memory);

// In this order: unreadable policy, address, maintenance, path, announced size of the content. `route` has a policy.
std::optional<GateRefusal> judge_request(const Route& route, const RequestHead& head, std::string_view visitor_ip);

enum class PasswordNeed {
    none,    // the route asks for no password, or not on this path
    bearer,  // a token that the origin judges
    judge,   // name and password are presented
    absent,  // and have to be asked for
};
// For a route with basic_auth. `presented` is filled in for `judge`.
PasswordNeed need_password(const Route& route, const RequestHead& head, Presented& presented);

// The password was for us: no Basic credentials go on to the origin of a route with basic_auth, whatever the path.
void drop_basic_credentials(FieldSection& fields);

}  // namespace sallyport
