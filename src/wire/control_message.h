// control_message.h: the messages of the control stream, one JSON object a line (docs/protocol.md). Both ends ignore
// kinds and members they do not know, so old and new versions mix. A line is at most 64 KiB, a string 256 octets, a
// list 256 entries; strings come from the other side: escape before a terminal or log. Pure.
#pragma once
#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/octets.h"
#include "base/result.h"

namespace sallyport {

inline constexpr std::size_t kMaxControlLine = 64_KiB;
inline constexpr std::size_t kMaxControlString = 256;
inline constexpr std::size_t kMaxControlEntries = 256;

// What the agent found out about X-Forwarded-For at a target.
enum class ForwardedForSupport : std::uint8_t { unknown, accepted, refused };

struct TargetReport {
    std::string name;    // as CONNECT's :authority names it
    std::string scheme;  // "http", "https" or "tcp"
    ForwardedForSupport forwarded_for = ForwardedForSupport::unknown;
    bool trusted_networks = false;  // Home Assistant lists the login provider of that name
    bool home_assistant = false;
    std::string note;  // for the owner
    std::string
        authority{};  // host:port that the agent dials: Host where a route doesn't preserve the visitor's; may be empty
    // What stands above about X-Forwarded-For was found out; while not, nobody may rely on it. Absent: yes.
    bool probed = true;
    std::string route{};  // id of the only route that it serves; said by the relay itself for SSH clients, which name no targets
    bool operator==(const TargetReport&) const = default;
};

struct RouteNotice {
    std::string url;
    std::string target;
    bool operator==(const RouteNotice&) const = default;
};

// agent -> relay, first line.
struct HelloMessage {
    std::string version;
    std::uint32_t concurrency_limit = 100;  // requests in flight
    std::chrono::milliseconds request_timeout{30'000};
    std::vector<TargetReport> targets;
    bool operator==(const HelloMessage&) const = default;
};
// agent -> relay: the whole list anew.
struct TargetsMessage {
    std::vector<TargetReport> targets;
    bool operator==(const TargetsMessage&) const = default;
};
// relay -> agent: the whole list of what is live.
struct RoutesMessage {
    std::vector<RouteNotice> routes;
    bool operator==(const RoutesMessage&) const = default;
};
// Either way: no new streams; the connection ends after the deadline.
struct DrainMessage {
    std::string reason;
    std::chrono::milliseconds deadline{0};
    bool operator==(const DrainMessage&) const = default;
};
// relay -> agent: the credential in use was replaced; it stops working after the deadline.
struct RotatedMessage {
    std::string reason;
    std::chrono::milliseconds deadline{0};
    bool operator==(const RotatedMessage&) const = default;
};
// Any other kind: skip it.
struct UnknownMessage {
    std::string kind;
    bool operator==(const UnknownMessage&) const = default;
};

using ControlMessage =
    std::variant<UnknownMessage, HelloMessage, TargetsMessage, RoutesMessage, DrainMessage, RotatedMessage>;

// One line with its LF. Strings are cut at the bound (at a UTF-8 border), lists too.
std::string format_control_message(const ControlMessage& message);

// One line without LF. Errc::protocol: no JSON object, no kind, or a member of the wrong type. Errc::too_large.
Result<ControlMessage> parse_control_message(std::string_view line);

}  // namespace sallyport
