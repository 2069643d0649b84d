// ssh_counters.h: what one loop counts of SSH clients; read from any thread.
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/counter.h"

namespace sallyport::relay {

// Why a connection came to no login; a label of the metrics, and the reason of event=ssh.refused.
enum class SshRefusal : std::uint8_t {
    no_login,     // it ended, or its time ran out, without a key being shown; also a handshake that failed
    unknown_key,  // none of its keys belongs to an agent
    weak_key,     // the agent's key isn't taken any more
    not_from_here,  // from= of its line
    expired,        // expiry-time= of its line
    disabled,       // the agent
    banned,         // too many failed logins from that address
    too_many,       // connections of that agent
};
inline constexpr std::size_t kSshRefusals = 8;

constexpr std::string_view name_of(SshRefusal reason) {
    constexpr std::array<std::string_view, kSshRefusals> names{"no_login", "unknown_key", "weak_key", "not_from_here", "expired", "disabled", "banned", "too_many"};
    return names[static_cast<std::size_t>(reason)];
}

struct SshCounters {
    Counter connections;  // ever
    Counter open;         // now
    Counter logins;       // that were accepted, ever
    std::array<Counter, kSshRefusals> refused;
    Counter forwards;          // now
    Counter forwards_refused;  // ever
};

}  // namespace sallyport::relay
