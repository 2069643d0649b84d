// relay_view.h: what a relay answers to a proven agent that asks how it stands, without opening a tunnel (docs/protocol.md,
// "Asking without a tunnel"). One JSON object of at most 64 KiB; members that are unknown are ignored, absent ones have their
// defaults, strings are cut at 256 octets, lists at 256 entries. Text comes from the other side: escape before showing. Pure.
#pragma once
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/octets.h"
#include "base/result.h"
#include "wire/control_message.h"

namespace sallyport {

inline constexpr std::string_view kTunnelProtocol = "sallyport.1";     // Sec-WebSocket-Protocol of a tunnel
inline constexpr std::string_view kViewProtocol = "sallyport-view.1";  // of asking for this
// Below it, in front of "/TICKET/…" and behind a route's path prefix, requests of a doctor travel as a visitor's do.
inline constexpr std::string_view kDoctorPath = "/.well-known/sallyport-doctor";
// What such a request is sent to at the agent: a name that no route and no table of targets can hold.
inline constexpr std::string_view kDoctorTarget = "!doctor";

struct ViewedTunnel {
    std::string peer;               // address that the relay sees it come from
    std::string version;            // of the agent
    std::int64_t connected_s = 0;   // how long it stands
    std::int64_t round_trip_us = 0; // 0: not measured yet
    bool lost = false;              // its connection is gone and may still be resumed
    bool operator==(const ViewedTunnel&) const = default;
};

struct RelayView {
    static constexpr std::size_t kMaxOctets = 64_KiB;

    using Tunnel = ViewedTunnel;

    std::string agent;          // the name that the relay's owner gave it
    std::string relay_version;
    std::int64_t time_ms = 0;   // the relay's clock, since 1970
    std::string peer;           // who asks, as the relay sees it
    std::optional<Tunnel> tunnel;
    std::string refused_peer;   // another process with this agent's credential was refused lately; "": none
    std::vector<RouteNotice> routes;
    std::string ticket;         // lets its holder through kDoctorPath of the agent's own routes; "": none
    std::int64_t ticket_s = 0;  // for so long
    bool operator==(const RelayView&) const = default;
};

// Routes that would make it longer than kMaxOctets are left out.
std::string format_relay_view(const RelayView& view);
// Errc::protocol: no JSON object, or a member of the wrong type. Errc::too_large.
Result<RelayView> parse_relay_view(std::string_view text);

}  // namespace sallyport
