// admission.h: how many may be in: connections in all, of a user name, of an address, and those that have not logged in yet; and
// which addresses have to wait since too many of their logins failed. Addresses count as whoever has them can't easily change
// them: IPv4 whole, IPv6 by /64. Bounded memory. Pure: the time comes as an argument. Lives on one loop.
#pragma once
#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "wire/ip_network.h"

namespace sallyport::gateway {

// Why a connection or login was refused: the `reason` of gateway.refused and sallyport_gateway_refusals_total.
enum class RefusalReason {
    too_many_connections,
    too_many_of_address,
    too_many_of_user,
    too_many_unauthenticated,
    address_waits,         // failed too often
    bad_user_name,
    bad_key,               // not authorised, or too weak
    bad_password,
    too_many_attempts,
    grace_over,            // didn't log in in time
    no_agent,              // pass-through without a forwarded agent
    remote_refused,        // the remote didn't let the user in
    remote_unreachable,
    remote_host_key,       // not the one that is known
    count_,                // none: how many there are
};
inline constexpr std::size_t kRefusalReasons = static_cast<std::size_t>(RefusalReason::count_);
std::string_view name_of(RefusalReason reason);

class Admission {
public:
    struct Limits {
        std::uint32_t connections = 1'000;
        std::uint32_t of_user = 200;
        std::uint32_t of_address = 200;
        std::uint32_t unauthenticated = 100;
        std::uint32_t failures = 10;  // of an address in kWindow
    };
    static constexpr std::chrono::seconds kWindow{60};
    static constexpr std::size_t kMostAddresses = 16'384;

    // One connection that counts, until it is destroyed. The Admission outlives it.
    class Place {
    public:
        Place() = default;
        Place(Place&& other) noexcept { *this = std::move(other); }
        Place& operator=(Place&& other) noexcept;
        ~Place() { release(); }
        explicit operator bool() const { return admission_ != nullptr; }

    private:
        friend class Admission;
        void release();
        Admission* admission_ = nullptr;
        IpAddress address_{};
        std::string user_{};
        bool logged_in_ = false;
    };

    explicit Admission(const Limits& limits) : limits_(limits) {}

    struct Entry {
        Place place;                                                    // empty: refused
        RefusalReason reason = RefusalReason::too_many_connections;
    };
    Entry enter(std::string_view ip, TimePoint now);
    // The user is known now. False: that name has too many.
    bool log_in(Place& place, std::string_view user);

    void note_failure(std::string_view ip, TimePoint now);

    std::size_t connections() const { return connections_; }
    std::size_t unauthenticated() const { return unauthenticated_; }
    std::size_t watched_addresses() const { return failures_.size(); }

private:
    static IpAddress counted(std::string_view ip);
    bool has_to_wait(const IpAddress& address, TimePoint now);

    const Limits limits_;
    std::size_t connections_ = 0;
    std::size_t unauthenticated_ = 0;
    std::map<IpAddress, std::uint32_t> by_address_;
    std::map<std::string, std::uint32_t, std::less<>> by_user_;
    std::map<IpAddress, std::vector<TimePoint>> failures_;  // at most limits_.failures each, oldest first
};

}  // namespace sallyport::gateway
