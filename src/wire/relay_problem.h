// relay_problem.h: what a relay's error page says, asked for as JSON (docs/relay.md, "Error pages"). Text from the other side: escape
// before showing. Pure.
#pragma once
#include <optional>
#include <string>
#include <string_view>

namespace sallyport {

struct RelayProblem {
    std::string hop;     // visitor, relay, agent or origin
    std::string title;
    std::string detail;
};

// {"error":{"hop":…,"title":…,"detail":…}}; each text cut at 300 octets. Nothing: it is no such page.
std::optional<RelayProblem> parse_relay_problem(std::string_view content);

}  // namespace sallyport
