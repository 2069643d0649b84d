// ban_shield.h: counts failed logins and the like by who they come from; slows that visitor's logins down, then refuses them and new
// WebSockets for a time that doubles with each ban. Nothing else is refused, and a success forgets. One for all loops, any thread;
// pure: the time is an argument. In memory only: a restart forgives.
//
// Who it is: an IPv4 address or an IPv6 /64, together with the home that was asked, so that no home can get its visitors banned at
// another one; and apart from that address's other requests those that a browser makes for a page of another site (foreign), so
// that no page can get those who look at it banned. Requests for unknown hosts concern no home: they count for all of them.
//
// A failure is forgotten after kForget (one at a time), a ban's length after ban_time_max. At most kMostEntries are kept: who has
// done least goes first.
#pragma once
#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "wire/ip_network.h"

namespace sallyport {

struct BanBounds {
    bool on = true;
    std::uint32_t after = 10;  // failures; the first half of them costs nothing
    std::chrono::milliseconds time{60'000};
    std::chrono::milliseconds longest{3'600'000};
    std::vector<IpNetwork> exempt;
};

enum class BanKind : std::uint8_t { password, login, websocket, unknown_host, ssh };
inline constexpr std::size_t kBanKinds = 5;
std::string_view name_of(BanKind kind);

class BanShield {
public:
    static constexpr std::chrono::minutes kForget{5};
    static constexpr std::size_t kMostEntries = 16'384;
    static constexpr std::chrono::milliseconds kFirstDelay{250};  // doubled with each failure,
    static constexpr std::chrono::milliseconds kLongestDelay{4'000};
    static constexpr std::chrono::milliseconds kLookAgain{100};  // where others of the same visitor are being judged

    struct Who {
        std::string_view ip;    // a literal; what is none, or exempt, is let through and not counted
        std::string_view home;  // the agent's id; "" for none
        std::string_view home_name;
        bool foreign = false;
    };
    // What a visitor tells: Sec-Fetch-Site, else Origin. (Whoever lies about it has a tally for each lie: two in all.)
    static bool is_foreign(std::string_view fetch_site, std::string_view origin, std::string_view authority);

    struct Key {
        std::array<std::uint8_t, 16> network{};
        std::uint64_t home = 0;  // 0: none
        bool foreign = false;
        bool operator==(const Key&) const = default;
    };

    // One login that was let through. Until it is ended it counts as a failure that may come, so that a hundred guesses at
    // once are no way around the count.
    class Attempt {
    public:
        Attempt() = default;
        Attempt(Attempt&& other) noexcept : shield_(std::exchange(other.shield_, nullptr)), key_(other.key_) {}
        Attempt& operator=(Attempt&& other) noexcept;
        ~Attempt() { end(); }
        void end();
        explicit operator bool() const { return shield_ != nullptr; }

    private:
        friend class BanShield;
        BanShield* shield_ = nullptr;
        Key key_;
    };

    struct Judgement {
        enum class Verdict { pass, wait, refuse };
        Verdict verdict = Verdict::pass;
        Duration after{};  // of wait: ask again then; of refuse: until the end of the ban
        Attempt attempt{};  // of a login that may pass
    };
    enum class Ask { login, websocket };

    struct Banned {
        std::string address;  // or network of an IPv6 one
        BanKind kind;         // of the last failure
        std::chrono::seconds for_s;
        std::string home_name;
    };
    struct Ban {
        std::string address;
        std::string home;  // its name; "": all of them
        BanKind kind{};
        bool foreign = false;
        std::uint32_t times = 0;
        std::chrono::seconds left{};
    };

    explicit BanShield(BanBounds bounds = {});
    BanShield(const BanShield&) = delete;
    BanShield& operator=(const BanShield&) = delete;

    // For what comes from now on; switched off, it forgets everything.
    void set_bounds(BanBounds bounds);

    Judgement judge(const Who& who, Ask ask, TimePoint now);
    // A failure; what it leads to, where it leads to a ban.
    std::optional<Banned> fail(const Who& who, BanKind kind, TimePoint now);
    // A request for a host that nobody has. The same name again is no further failure: a device may ask for what has gone.
    std::optional<Banned> fail_host(const Who& who, std::string_view host, TimePoint now);
    // A login; forgets all failures of that visitor at that home, but not how long the last ban was.
    void succeed(const Who& who);
    // A WebSocket that lasted; forgets those that didn't. (Being connected proves no login.)
    void succeed_websocket(const Who& who);

    std::vector<Ban> list(TimePoint now) const;
    // All that is known of that address (any address of an IPv6 /64). How many bans that ends.
    std::size_t lift(const IpAddress& address, TimePoint now);
    // Bans that have ended since the last call, for the log; and forgets who has nothing left to be counted for.
    std::vector<Ban> take_ended(TimePoint now);

    std::size_t bans(TimePoint now) const;
    std::uint64_t failures(BanKind kind) const { return failures_[static_cast<std::size_t>(kind)].load(std::memory_order_relaxed); }
    std::size_t entries() const;

private:
    struct Entry {
        std::string home_name;
        std::uint32_t failures = 0;    // but WebSockets
        std::uint32_t websockets = 0;
        std::uint32_t attempts = 0;    // under way
        std::uint32_t bans = 0;        // in a row
        BanKind kind{};
        bool ended_told = true;
        std::uint64_t last_host = 0;
        TimePoint last{};              // failure, or what was forgotten last
        TimePoint next{};              // when the next login may pass
        TimePoint until{};             // of the ban, or the last one
        std::uint32_t counted() const { return failures + websockets; }
    };
    struct Hash {
        std::uint64_t secret;
        std::size_t operator()(const Key& key) const;
    };
    static constexpr std::size_t kShards = 64;
    struct Shard {
        mutable std::mutex mutex;
        std::unordered_map<Key, Entry, Hash> entries;
        explicit Shard(std::uint64_t secret) : entries(0, Hash{secret}) {}
    };

    std::shared_ptr<const BanBounds> in_force() const;
    std::optional<Key> key_of(const BanBounds& bounds, const Who& who) const;
    Shard& shard_of(const Key& key) { return *shards_[hash_(key) % kShards]; }
    Entry& entry_of(Shard& shard, const Key& key, const Who& who, TimePoint now);
    Judgement judge_one(const BanBounds& bounds, const Key& key, const Who& who, Ask ask, TimePoint now);
    std::optional<Banned> count(const BanBounds& bounds, const Key& key, const Who& who, BanKind kind, std::uint64_t host, TimePoint now);
    void end_attempt(const Key& key);
    static void forget(const BanBounds& bounds, Entry& entry, TimePoint now);
    static bool is_blank(const Entry& entry, TimePoint now);
    static Ban describe(const Key& key, const Entry& entry, TimePoint now);

    mutable std::mutex bounds_mutex_;  // guards the pointer
    std::shared_ptr<const BanBounds> bounds_;
    const Hash hash_;  // with a secret: nobody can choose addresses that share a shard or a chain
    std::vector<std::unique_ptr<Shard>> shards_;
    std::array<std::atomic<std::uint64_t>, kBanKinds> failures_{};
};

}  // namespace sallyport
