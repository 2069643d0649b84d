#include "edge/ban_shield.h"

#include <algorithm>
#include <cstring>

#include "base/random.h"
#include "wire/http_syntax.h"

namespace sallyport {
namespace {

constexpr std::size_t kPrefixOctets = 8;  // of an IPv6 address, /64
constexpr std::uint32_t kMostBans = 20;   // in a row that are counted: the time has stopped growing long before

std::uint64_t random_secret() {
    std::uint64_t secret = 0;
    fill_random(std::as_writable_bytes(std::span(&secret, 1)));
    return secret;
}

// splitmix64's finaliser.
std::uint64_t mix(std::uint64_t key) {
    key = (key ^ (key >> 30)) * 0xbf58'476d'1ce4'e5b9;
    key = (key ^ (key >> 27)) * 0x94d0'49bb'1331'11eb;
    return key ^ (key >> 31);
}

std::array<std::uint8_t, 16> network_of(const IpAddress& address) {
    auto octets = address.octets;
    if (!address.is_v4()) std::fill(octets.begin() + kPrefixOctets, octets.end(), std::uint8_t{0});
    return octets;
}

std::string text_of(const std::array<std::uint8_t, 16>& network) {
    const IpAddress address{network};
    return address.is_v4() ? address.text() : address.text() + "/64";
}

Duration length_of(const BanBounds& bounds, std::uint32_t bans) {
    Duration length = bounds.time;
    for (std::uint32_t i = 1; i < bans && length < bounds.longest; ++i) length *= 2;
    return std::min<Duration>(length, std::max(bounds.time, bounds.longest));
}

std::uint32_t free_of(const BanBounds& bounds) { return bounds.after / 2; }

Duration delay_of(const BanBounds& bounds, std::uint32_t failures) {
    Duration delay = BanShield::kFirstDelay;
    for (std::uint32_t i = free_of(bounds) + 1; i < failures && delay < BanShield::kLongestDelay; ++i) delay *= 2;
    return std::min<Duration>(delay, BanShield::kLongestDelay);
}

std::chrono::seconds seconds_up(Duration duration) { return std::chrono::ceil<std::chrono::seconds>(duration); }

}  // namespace

std::string_view name_of(BanKind kind) {
    switch (kind) {
        case BanKind::password: return "password";
        case BanKind::login: return "login";
        case BanKind::websocket: return "websocket";
        case BanKind::unknown_host: return "unknown_host";
        case BanKind::ssh: return "ssh";
    }
    return "";
}

bool BanShield::is_foreign(std::string_view fetch_site, std::string_view origin, std::string_view authority) {
    if (!fetch_site.empty()) return fetch_site != "same-origin" && fetch_site != "none";
    if (origin.empty()) return false;
    const std::size_t scheme = origin.find("://");
    return scheme == std::string_view::npos || !equals_ignoring_case(origin.substr(scheme + 3), authority);
}

std::size_t BanShield::Hash::operator()(const Key& key) const {
    std::array<std::uint64_t, 2> words{};
    std::memcpy(words.data(), key.network.data(), key.network.size());
    return static_cast<std::size_t>(mix(mix(mix(words[0] ^ secret) ^ words[1]) ^ key.home ^ (key.foreign ? secret : 0)));
}

BanShield::Attempt& BanShield::Attempt::operator=(Attempt&& other) noexcept {
    if (this == &other) return *this;
    end();
    shield_ = std::exchange(other.shield_, nullptr);
    key_ = other.key_;
    return *this;
}

void BanShield::Attempt::end() {
    if (BanShield* shield = std::exchange(shield_, nullptr)) shield->end_attempt(key_);
}

BanShield::BanShield(BanBounds bounds) : bounds_(std::make_shared<const BanBounds>(std::move(bounds))), hash_{random_secret()} {
    for (std::size_t i = 0; i < kShards; ++i) shards_.push_back(std::make_unique<Shard>(hash_.secret));
}

void BanShield::set_bounds(BanBounds bounds) {
    auto fresh = std::make_shared<const BanBounds>(std::move(bounds));
    {
        const std::lock_guard lock(bounds_mutex_);
        bounds_ = fresh;
    }
    if (fresh->on) return;
    for (const auto& shard : shards_) {
        const std::lock_guard lock(shard->mutex);
        shard->entries.clear();
    }
}

std::shared_ptr<const BanBounds> BanShield::in_force() const {
    const std::lock_guard lock(bounds_mutex_);
    return bounds_;
}

std::optional<BanShield::Key> BanShield::key_of(const BanBounds& bounds, const Who& who) const {
    if (!bounds.on) return std::nullopt;
    const auto address = parse_ip_address(who.ip);
    if (!address || contains(bounds.exempt, *address)) return std::nullopt;
    Key key{.network = network_of(*address), .foreign = who.foreign};
    if (!who.home.empty()) key.home = std::max<std::uint64_t>(std::hash<std::string_view>{}(who.home), 1);
    return key;
}

// ---- what is let through

BanShield::Judgement BanShield::judge(const Who& who, Ask ask, TimePoint now) {
    const auto bounds = in_force();
    const auto key = key_of(*bounds, who);
    if (!key) return {};
    // Who asked for unknown hosts is refused at every home.
    Key everywhere = *key;
    everywhere.home = 0;
    if (auto judgement = judge_one(*bounds, everywhere, who, Ask::websocket, now); judgement.verdict == Judgement::Verdict::refuse) return judgement;
    return judge_one(*bounds, *key, who, ask, now);
}

BanShield::Judgement BanShield::judge_one(const BanBounds& bounds, const Key& key, const Who& who, Ask ask, TimePoint now) {
    using enum Judgement::Verdict;
    Shard& shard = shard_of(key);
    const std::lock_guard lock(shard.mutex);
    const auto found = shard.entries.find(key);
    if (found == shard.entries.end() && ask == Ask::websocket) return {};
    Entry& entry = found != shard.entries.end() ? found->second : entry_of(shard, key, who, now);
    forget(bounds, entry, now);
    if (entry.until > now) return {refuse, entry.until - now};
    const bool slowed = entry.counted() > free_of(bounds);
    if (slowed && entry.next > now) return {wait, entry.next - now};
    if (ask == Ask::login) {
        const std::uint32_t room = bounds.after > entry.counted() ? bounds.after - entry.counted() : 1;
        if (entry.attempts >= room) return {wait, kLookAgain};
    }
    if (slowed) entry.next = now + delay_of(bounds, entry.counted());
    Judgement judgement;
    if (ask == Ask::login) {
        ++entry.attempts;
        judgement.attempt.shield_ = this;
        judgement.attempt.key_ = key;
    }
    return judgement;
}

void BanShield::end_attempt(const Key& key) {
    Shard& shard = shard_of(key);
    const std::lock_guard lock(shard.mutex);
    const auto found = shard.entries.find(key);
    if (found == shard.entries.end()) return;  // crowded out, or lifted
    Entry& entry = found->second;
    if (entry.attempts > 0) --entry.attempts;
    if (entry.attempts == 0 && entry.counted() == 0 && entry.bans == 0) shard.entries.erase(found);
}

// ---- what is counted

std::optional<BanShield::Banned> BanShield::fail(const Who& who, BanKind kind, TimePoint now) {
    const auto bounds = in_force();
    const auto key = key_of(*bounds, who);
    return key ? count(*bounds, *key, who, kind, 0, now) : std::nullopt;
}

std::optional<BanShield::Banned> BanShield::fail_host(const Who& who, std::string_view host, TimePoint now) {
    const auto bounds = in_force();
    const Who nowhere{.ip = who.ip, .home = {}, .home_name = {}, .foreign = who.foreign};
    const auto key = key_of(*bounds, nowhere);
    const std::uint64_t hash = std::max<std::uint64_t>(std::hash<std::string_view>{}(host), 1);
    return key ? count(*bounds, *key, nowhere, BanKind::unknown_host, hash, now) : std::nullopt;
}

std::optional<BanShield::Banned> BanShield::count(const BanBounds& bounds, const Key& key, const Who& who, BanKind kind, std::uint64_t host,
                                                  TimePoint now) {
    Shard& shard = shard_of(key);
    const std::lock_guard lock(shard.mutex);
    Entry& entry = entry_of(shard, key, who, now);
    forget(bounds, entry, now);
    if (host != 0 && std::exchange(entry.last_host, host) == host) return std::nullopt;
    failures_[static_cast<std::size_t>(kind)].fetch_add(1, std::memory_order_relaxed);
    entry.kind = kind;
    if (entry.counted() == 0) entry.last = now;
    if (entry.until > now) return std::nullopt;  // what was under way when the ban began
    ++(kind == BanKind::websocket ? entry.websockets : entry.failures);
    entry.last = now;
    if (entry.counted() > free_of(bounds)) entry.next = now + delay_of(bounds, entry.counted());
    if (entry.counted() < bounds.after) return std::nullopt;
    entry.bans = std::min(entry.bans + 1, kMostBans);
    const Duration length = length_of(bounds, entry.bans);
    entry.until = now + length;
    entry.last = entry.until;
    // Behind the ban it goes on slowly, and half as many failures lead to the next one.
    entry.websockets = 0;
    entry.failures = free_of(bounds) + 1 < bounds.after ? free_of(bounds) + 1 : free_of(bounds);
    entry.ended_told = false;
    return Banned{text_of(key.network), kind, seconds_up(length), entry.home_name};
}

void BanShield::succeed(const Who& who) {
    const auto bounds = in_force();
    const auto key = key_of(*bounds, who);
    if (!key) return;
    Shard& shard = shard_of(*key);
    const std::lock_guard lock(shard.mutex);
    const auto found = shard.entries.find(*key);
    if (found == shard.entries.end()) return;
    Entry& entry = found->second;
    entry.failures = entry.websockets = 0;
    entry.next = {};
}

void BanShield::succeed_websocket(const Who& who) {
    const auto bounds = in_force();
    const auto key = key_of(*bounds, who);
    if (!key) return;
    Shard& shard = shard_of(*key);
    const std::lock_guard lock(shard.mutex);
    if (const auto found = shard.entries.find(*key); found != shard.entries.end()) found->second.websockets = 0;
}

// With the shard's mutex. Where there is no room, who has done least makes some: never one that is banned while another isn't.
BanShield::Entry& BanShield::entry_of(Shard& shard, const Key& key, const Who& who, TimePoint now) {
    if (const auto found = shard.entries.find(key); found != shard.entries.end()) return found->second;
    if (shard.entries.size() >= kMostEntries / kShards) {
        const auto guilt = [now](const Entry& entry) {
            return std::tuple(entry.until > now, entry.counted(), entry.bans, std::max(entry.until, entry.last));
        };
        shard.entries.erase(std::ranges::min_element(shard.entries, {}, [&](const auto& item) { return guilt(item.second); }));
    }
    Entry& entry = shard.entries[key];
    entry.home_name = key.home != 0 ? who.home_name : std::string_view{};
    return entry;
}

void BanShield::forget(const BanBounds& bounds, Entry& entry, TimePoint now) {
    if (entry.until > now) return;
    if (entry.counted() == 0) entry.last = std::max(entry.last, entry.until);
    while (entry.counted() > 0 && now - entry.last >= kForget) {
        --(entry.failures > 0 ? entry.failures : entry.websockets);
        entry.last += kForget;
    }
    if (entry.bans > 0 && now - entry.until >= bounds.longest) entry.bans = 0;
}

bool BanShield::is_blank(const Entry& entry, TimePoint now) {
    return entry.until <= now && entry.counted() == 0 && entry.bans == 0 && entry.attempts == 0;
}

// ---- who is banned

BanShield::Ban BanShield::describe(const Key& key, const Entry& entry, TimePoint now) {
    return {.address = text_of(key.network),
            .home = entry.home_name,
            .kind = entry.kind,
            .foreign = key.foreign,
            .times = entry.bans,
            .left = seconds_up(std::max(entry.until - now, Duration::zero()))};
}

std::vector<BanShield::Ban> BanShield::list(TimePoint now) const {
    std::vector<Ban> listed;
    for (const auto& shard : shards_) {
        const std::lock_guard lock(shard->mutex);
        for (const auto& [key, entry] : shard->entries)
            if (entry.until > now) listed.push_back(describe(key, entry, now));
    }
    std::ranges::sort(listed, {}, [](const Ban& ban) { return std::tuple(ban.address, ban.home, ban.foreign); });
    return listed;
}

std::size_t BanShield::lift(const IpAddress& address, TimePoint now) {
    const auto network = network_of(address);
    std::size_t lifted = 0;
    for (const auto& shard : shards_) {
        const std::lock_guard lock(shard->mutex);
        std::erase_if(shard->entries, [&](const auto& item) {
            if (item.first.network != network) return false;
            if (item.second.until > now) ++lifted;
            return true;
        });
    }
    return lifted;
}

std::vector<BanShield::Ban> BanShield::take_ended(TimePoint now) {
    const auto bounds = in_force();
    std::vector<Ban> ended;
    for (const auto& shard : shards_) {
        const std::lock_guard lock(shard->mutex);
        for (auto item = shard->entries.begin(); item != shard->entries.end();) {
            Entry& entry = item->second;
            if (entry.until <= now && !std::exchange(entry.ended_told, true)) ended.push_back(describe(item->first, entry, now));
            forget(*bounds, entry, now);
            item = is_blank(entry, now) ? shard->entries.erase(item) : std::next(item);
        }
    }
    return ended;
}

std::size_t BanShield::bans(TimePoint now) const {
    std::size_t total = 0;
    for (const auto& shard : shards_) {
        const std::lock_guard lock(shard->mutex);
        total += static_cast<std::size_t>(std::ranges::count_if(shard->entries, [&](const auto& item) { return item.second.until > now; }));
    }
    return total;
}

std::size_t BanShield::entries() const {
    std::size_t total = 0;
    for (const auto& shard : shards_) {
        const std::lock_guard lock(shard->mutex);
        total += shard->entries.size();
    }
    return total;
}

}  // namespace sallyport
