// visitor_limits.h: how much one visitor address, and all together, may have: open connections, new ones a second, TLS
// handshakes under way, and requests given up half-way (each costs the home a stream reset). One instance for all loops; asked
// at accept, before any octet is read. Any thread.
//
// An address is an IPv4 address or an IPv6 /64: what one household is given. Rates are buckets of ten seconds' worth, so a
// page that opens many connections at once, or a house full of phones, passes. An address without connections is
// forgotten once its buckets are full again, and at most kMostIdle such are kept, so that no flood makes the table grow:
// what is left of it is bounded by the open connections.
#pragma once
#include <algorithm>
#include <array>
#include <atomic>
#include <cstdint>
#include <expected>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "net/socket_address.h"
#include "wire/ip_network.h"

namespace sallyport {

struct VisitorBounds {
    std::uint32_t connections = 16'384;  // open, of all visitors
    std::uint32_t reserve = 64;          // more than that, served only if they turn out to be agents
    std::uint32_t connection_rate = 5'000;  // new ones a second
    std::uint32_t handshakes = 10'000;      // from accept to the end of TLS
    std::uint32_t address_connections = 1'024;
    std::uint32_t address_connection_rate = 100;
    std::uint32_t address_handshakes = 512;
    std::uint32_t address_reset_rate = 100;
    std::vector<IpNetwork> exempt;  // from what counts by address: says nothing about who the visitor is
};

enum class VisitorLimit : std::uint8_t {
    connections,
    connection_rate,
    handshakes,
    address_connections,
    address_connection_rate,
    address_handshakes,
    address_reset_rate,
};
inline constexpr std::size_t kVisitorLimits = 7;
std::string_view name_of(VisitorLimit limit);
std::uint32_t bound_of(const VisitorBounds& bounds, VisitorLimit limit);

class VisitorLimits : public std::enable_shared_from_this<VisitorLimits> {
public:
    static constexpr Duration kBucket = std::chrono::seconds(10);  // how much of a rate may come at once
    static constexpr std::size_t kMostIdle = 16'384;               // addresses without connections

    enum class Kind { tls, plain };

    // One connection; counts while it lives. An empty one counts nothing: listeners of our own.
    class Visit {
    public:
        Visit() = default;
        Visit(Visit&& other) noexcept
            : limits_(std::move(other.limits_)),
              key_(other.key_),
              handshaking_(other.handshaking_),
              in_reserve_(other.in_reserve_),
              in_all_(other.in_all_) {}
        Visit& operator=(Visit&& other) noexcept;
        ~Visit() { end(); }

        // There was no room but the reserve for agents: anybody else gets 503.
        bool in_reserve() const { return in_reserve_; }
        void end_handshake();
        // Of a connection that a proxy made, which counts in all only (admit_proxy): whose it is. From now on it counts for that
        // address too, as if it had come from there.
        std::expected<void, VisitorLimit> name(const SocketAddress& visitor, TimePoint now);
        // Of such a connection on which requests of many visitors come: one request, counted for its address among the
        // connections of that, and not in all. Rates of new ones are the proxy's to bound.
        std::expected<Visit, VisitorLimit> guest(const IpAddress& visitor, TimePoint now) const;
        // The visitor gave up a request half-way. False: it does so too often.
        bool note_reset(TimePoint now);

    private:
        friend class VisitorLimits;
        void end();
        std::shared_ptr<VisitorLimits> limits_;
        std::uint64_t key_ = 0;  // 0: exempt
        bool handshaking_ = false;
        bool in_reserve_ = false;
        bool in_all_ = true;  // counts among all connections
    };

    static std::shared_ptr<VisitorLimits> make(VisitorBounds bounds);

    // For what comes from now on.
    void set_bounds(VisitorBounds bounds);
    VisitorBounds bounds() const;

    // The limit that is reached, if one is.
    std::expected<Visit, VisitorLimit> admit(const SocketAddress& peer, Kind kind, TimePoint now);

    // For a connection from a proxy that is trusted to say later who the visitors are.
    std::expected<Visit, VisitorLimit> admit_proxy(const SocketAddress& peer, Kind kind, TimePoint now);

    // For metrics and log.
    std::uint32_t connections() const { return connections_.load(std::memory_order_relaxed); }
    std::uint32_t handshakes() const { return handshakes_.load(std::memory_order_relaxed); }
    std::size_t addresses() const;
    std::uint64_t refused(VisitorLimit limit) const { return refused_[static_cast<std::size_t>(limit)].load(std::memory_order_relaxed); }
    std::string last_refused(VisitorLimit limit) const;  // address, or network of an IPv6 one

private:
    // A rate, kept as the time at which all that was taken has been refilled (GCRA). Never further away than two buckets.
    struct Bucket {
        TimePoint full_at{};
        bool has(TimePoint now, Duration cost) const { return full_at + cost <= now + kBucket; }
        void take(TimePoint now, Duration cost) { full_at = std::min(std::max(full_at, now) + cost, now + 2 * kBucket); }
    };
    struct Address {
        std::uint32_t connections = 0;
        std::uint32_t handshakes = 0;
        Bucket arrivals;
        Bucket resets;
        bool is_idle() const { return connections == 0; }
        bool is_forgettable(TimePoint now) const { return is_idle() && arrivals.full_at <= now && resets.full_at <= now; }
    };
    static constexpr std::size_t kShards = 64;
    struct Hash {
        std::size_t operator()(std::uint64_t key) const { return static_cast<std::size_t>(key); }  // mixed before
    };
    struct Shard {
        mutable std::mutex mutex;
        std::unordered_map<std::uint64_t, Address, Hash> addresses;
        std::size_t look_at = 64;  // entries at which forgettable ones are looked for
    };

    explicit VisitorLimits(VisitorBounds bounds);
    std::shared_ptr<const VisitorBounds> in_force() const;
    std::uint64_t key_of(const IpAddress& address) const;
    std::uint64_t mix(std::uint64_t key) const;
    Shard& shard_of(std::uint64_t key) { return shards_[key % kShards]; }
    std::unexpected<VisitorLimit> refuse(VisitorLimit limit, const IpAddress& address);
    // One more for the address, unless `also`, asked under its lock, refuses.
    template <class Also>
    std::expected<void, VisitorLimit> take_address(const VisitorBounds& bounds, const IpAddress& address, std::uint64_t key, bool handshake,
                                                   TimePoint now, Also also);
    std::expected<bool, VisitorLimit> take_common(const VisitorBounds& bounds, Kind kind, TimePoint now);
    bool take_arrival(std::uint32_t rate, TimePoint now);
    static void forget_idle(Shard& shard, TimePoint now);

    mutable std::mutex bounds_mutex_;  // guards the pointer
    std::shared_ptr<const VisitorBounds> bounds_;
    const std::uint64_t secret_;  // nobody can choose addresses that share a shard or a chain
    std::array<Shard, kShards> shards_;
    std::atomic<std::uint32_t> connections_{0};
    std::atomic<std::uint32_t> handshakes_{0};
    std::atomic<Duration::rep> arrivals_full_at_{0};
    std::array<std::atomic<std::uint64_t>, kVisitorLimits> refused_{};
    mutable std::mutex last_mutex_;
    std::array<IpAddress, kVisitorLimits> last_refused_{};
};

}  // namespace sallyport
