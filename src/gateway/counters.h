// counters.h: what a gateway counts, and as Prometheus text. Names are a contract (docs/gateway.md). Lives on the gateway's loop.
#pragma once
#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/admission.h"

namespace sallyport::gateway {

// What let somebody in: the `by` of gateway.login and sallyport_gateway_logins_total.
enum class LoginBy { local_key, remote_key, password, any_key, agent, count_ };
std::string_view name_of(LoginBy by);

// What a channel of a user was for.
enum class SessionKind { mosh, shell, exec, subsystem, direct, forwarded, count_ };
std::string_view name_of(SessionKind kind);

enum class CacheResult { hit, miss, failed, suppressed, count_ };
std::string_view name_of(CacheResult result);

template <class Enum>
class CountsBy {
public:
    std::uint64_t& operator[](Enum at) { return counts_[static_cast<std::size_t>(at)]; }
    std::uint64_t operator[](Enum at) const { return counts_[static_cast<std::size_t>(at)]; }

private:
    std::array<std::uint64_t, static_cast<std::size_t>(Enum::count_)> counts_{};
};

struct Counters {
    std::uint64_t accepted = 0;
    CountsBy<LoginBy> logins;
    CountsBy<RefusalReason> refusals;
    CountsBy<SessionKind> open;      // now
    CountsBy<SessionKind> sessions;  // ever
    CountsBy<CacheResult> key_cache;
    std::uint64_t octets_in = 0;     // of ended connections, toward the remote
    std::uint64_t octets_out = 0;
    std::uint64_t remote_connections = 0;  // opened
    std::uint64_t remote_failures = 0;
    std::uint64_t warm_taken = 0;    // logins that found a connection ready
    std::uint64_t mosh_fallbacks = 0;
};

// What is known only when it is asked for.
struct Snapshot {
    std::size_t connections = 0;
    std::size_t unauthenticated = 0;
    std::size_t warm = 0;
    std::size_t detached = 0;
    struct Line {
        std::string user;
        std::uint64_t session = 0;
        double round_trip_seconds = 0;   // under 0: not known
        double silence_seconds = 0;      // under 0: not known
        double loss = -1;                // share; under 0: not known
    };
    std::vector<Line> mosh{};
};

std::string metrics_text(const Counters& counters, const Snapshot& snapshot);

}  // namespace sallyport::gateway
