#include "edge/visitor_limits.h"

#include <algorithm>
#include <cstring>

#include "base/random.h"

namespace sallyport {
namespace {

constexpr std::size_t kPrefixOctets = 8;  // of an IPv6 address, /64
// In front of an IPv4 address: multicast, which no visitor comes from.
constexpr std::uint64_t kV4Mark = 0xffff'ffff'0000'0000;

std::uint64_t random_secret() {
    std::uint64_t secret = 0;
    fill_random(std::as_writable_bytes(std::span(&secret, 1)));
    return secret;
}

Duration cost_of(std::uint32_t rate) { return Duration(std::chrono::seconds(1)) / std::max(rate, 1u); }

std::uint64_t big_endian(const std::uint8_t* octets, std::size_t count) {
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < count; ++i) value = value << 8 | octets[i];
    return value;
}

IpAddress address_of(const SocketAddress& peer) {
    return parse_ip_address(peer.ip()).value_or(IpAddress{});
}

}  // namespace

std::string_view name_of(VisitorLimit limit) {
    constexpr std::array<std::string_view, kVisitorLimits> names{
        "connections", "connection_rate", "handshakes", "address_connections", "address_connection_rate",
        "address_handshakes", "address_reset_rate"};
    return names[static_cast<std::size_t>(limit)];
}

std::uint32_t bound_of(const VisitorBounds& bounds, VisitorLimit limit) {
    switch (limit) {
        case VisitorLimit::connections: return bounds.connections;
        case VisitorLimit::connection_rate: return bounds.connection_rate;
        case VisitorLimit::handshakes: return bounds.handshakes;
        case VisitorLimit::address_connections: return bounds.address_connections;
        case VisitorLimit::address_connection_rate: return bounds.address_connection_rate;
        case VisitorLimit::address_handshakes: return bounds.address_handshakes;
        case VisitorLimit::address_reset_rate: return bounds.address_reset_rate;
    }
    return 0;
}

// ---- one connection

VisitorLimits::Visit& VisitorLimits::Visit::operator=(Visit&& other) noexcept {
    if (this == &other) return *this;
    end();
    limits_ = std::move(other.limits_);
    key_ = other.key_;
    handshaking_ = other.handshaking_;
    in_reserve_ = other.in_reserve_;
    in_all_ = other.in_all_;
    return *this;
}

void VisitorLimits::Visit::end_handshake() {
    if (!limits_ || !std::exchange(handshaking_, false)) return;
    --limits_->handshakes_;
    if (key_ == 0) return;
    Shard& shard = limits_->shard_of(key_);
    const std::lock_guard lock(shard.mutex);
    --shard.addresses.at(key_).handshakes;
}

bool VisitorLimits::Visit::note_reset(TimePoint now) {
    if (!limits_ || key_ == 0) return true;
    const Duration cost = cost_of(limits_->in_force()->address_reset_rate);
    Shard& shard = limits_->shard_of(key_);
    const std::lock_guard lock(shard.mutex);
    Bucket& resets = shard.addresses.at(key_).resets;
    const bool had = resets.has(now, cost);
    resets.take(now, cost);
    return had;
}

void VisitorLimits::Visit::end() {
    if (!limits_) return;
    end_handshake();
    if (in_all_) --limits_->connections_;
    if (key_ != 0) {
        Shard& shard = limits_->shard_of(key_);
        const std::lock_guard lock(shard.mutex);
        --shard.addresses.at(key_).connections;
    }
    limits_.reset();
}

// ---- all of them

VisitorLimits::VisitorLimits(VisitorBounds bounds)
    : bounds_(std::make_shared<const VisitorBounds>(std::move(bounds))), secret_(random_secret()) {}

std::shared_ptr<VisitorLimits> VisitorLimits::make(VisitorBounds bounds) {
    return std::shared_ptr<VisitorLimits>(new VisitorLimits(std::move(bounds)));
}

void VisitorLimits::set_bounds(VisitorBounds bounds) {
    auto fresh = std::make_shared<const VisitorBounds>(std::move(bounds));
    const std::lock_guard lock(bounds_mutex_);
    bounds_ = std::move(fresh);
}

VisitorBounds VisitorLimits::bounds() const { return *in_force(); }

std::shared_ptr<const VisitorBounds> VisitorLimits::in_force() const {
    const std::lock_guard lock(bounds_mutex_);
    return bounds_;
}

std::uint64_t VisitorLimits::key_of(const IpAddress& address) const {
    const std::uint8_t* octets = address.octets.data();
    const std::uint64_t plain = address.is_v4() ? kV4Mark | big_endian(octets + 12, 4) : big_endian(octets, kPrefixOctets);
    return std::max<std::uint64_t>(mix(plain), 1);
}

// splitmix64's finaliser over a secret: one to one, so two addresses never share a count.
std::uint64_t VisitorLimits::mix(std::uint64_t key) const {
    key ^= secret_;
    key = (key ^ (key >> 30)) * 0xbf58'476d'1ce4'e5b9;
    key = (key ^ (key >> 27)) * 0x94d0'49bb'1331'11eb;
    return key ^ (key >> 31);
}

std::expected<VisitorLimits::Visit, VisitorLimit> VisitorLimits::admit(const SocketAddress& peer, Kind kind, TimePoint now) {
    const auto bounds = in_force();
    const IpAddress address = address_of(peer);
    if (contains(bounds->exempt, address)) return admit_proxy(peer, kind, now);
    Visit visit;
    visit.key_ = key_of(address);
    const auto taken = take_address(*bounds, address, visit.key_, kind == Kind::tls, now, [&]() -> std::expected<void, VisitorLimit> {
        const auto in_reserve = take_common(*bounds, kind, now);
        if (!in_reserve) return refuse(in_reserve.error(), address);
        visit.in_reserve_ = *in_reserve;
        return {};
    });
    if (!taken) return std::unexpected(taken.error());
    visit.handshaking_ = kind == Kind::tls;
    visit.limits_ = shared_from_this();
    return visit;
}

std::expected<VisitorLimits::Visit, VisitorLimit> VisitorLimits::admit_proxy(const SocketAddress& peer, Kind kind, TimePoint now) {
    const auto in_reserve = take_common(*in_force(), kind, now);
    if (!in_reserve) return refuse(in_reserve.error(), address_of(peer));
    Visit visit;
    visit.in_reserve_ = *in_reserve;
    visit.handshaking_ = kind == Kind::tls;
    visit.limits_ = shared_from_this();
    return visit;
}

template <class Also>
std::expected<void, VisitorLimit> VisitorLimits::take_address(const VisitorBounds& bounds, const IpAddress& address, std::uint64_t key,
                                                              bool handshake, TimePoint now, Also also) {
    const Duration cost = cost_of(bounds.address_connection_rate);
    Shard& shard = shard_of(key);
    const std::lock_guard lock(shard.mutex);
    if (shard.addresses.size() >= shard.look_at) forget_idle(shard, now);
    Address& known = shard.addresses[key];
    if (known.connections >= bounds.address_connections) return refuse(VisitorLimit::address_connections, address);
    if (handshake && known.handshakes >= bounds.address_handshakes) return refuse(VisitorLimit::address_handshakes, address);
    if (!known.arrivals.has(now, cost)) return refuse(VisitorLimit::address_connection_rate, address);
    if (!known.resets.has(now, {})) return refuse(VisitorLimit::address_reset_rate, address);
    if (auto done = also(); !done) return done;
    known.arrivals.take(now, cost);
    ++known.connections;
    if (handshake) ++known.handshakes;
    return {};
}

std::expected<void, VisitorLimit> VisitorLimits::Visit::name(const SocketAddress& visitor, TimePoint now) {
    if (!limits_ || key_ != 0) return {};
    const auto bounds = limits_->in_force();
    const IpAddress address = address_of(visitor);
    if (contains(bounds->exempt, address)) return {};
    const std::uint64_t key = limits_->key_of(address);
    const auto taken = limits_->take_address(*bounds, address, key, handshaking_, now, [] { return std::expected<void, VisitorLimit>(); });
    if (taken) key_ = key;
    return taken;
}

std::expected<VisitorLimits::Visit, VisitorLimit> VisitorLimits::Visit::guest(const IpAddress& visitor, TimePoint now) const {
    Visit guest;
    if (!limits_) return guest;
    const auto bounds = limits_->in_force();
    if (contains(bounds->exempt, visitor)) return guest;
    const std::uint64_t key = limits_->key_of(visitor);
    Shard& shard = limits_->shard_of(key);
    const std::lock_guard lock(shard.mutex);
    if (shard.addresses.size() >= shard.look_at) forget_idle(shard, now);
    Address& known = shard.addresses[key];
    if (known.connections >= bounds->address_connections) return limits_->refuse(VisitorLimit::address_connections, visitor);
    if (!known.resets.has(now, {})) return limits_->refuse(VisitorLimit::address_reset_rate, visitor);
    ++known.connections;
    guest.key_ = key;
    guest.in_all_ = false;
    guest.limits_ = limits_;
    return guest;
}

// Whether only the reserve had room. Loops that race for the last place may go over by one each.
std::expected<bool, VisitorLimit> VisitorLimits::take_common(const VisitorBounds& bounds, Kind kind, TimePoint now) {
    const std::uint64_t open = connections_;
    if (open >= std::uint64_t{bounds.connections} + bounds.reserve) return std::unexpected(VisitorLimit::connections);
    if (kind == Kind::tls && handshakes_ >= bounds.handshakes) return std::unexpected(VisitorLimit::handshakes);
    if (!take_arrival(bounds.connection_rate, now)) return std::unexpected(VisitorLimit::connection_rate);
    ++connections_;
    if (kind == Kind::tls) ++handshakes_;
    return open >= bounds.connections;
}

bool VisitorLimits::take_arrival(std::uint32_t rate, TimePoint now) {
    const Duration cost = cost_of(rate);
    Duration::rep seen = arrivals_full_at_;
    for (;;) {
        Bucket bucket{TimePoint(Duration(seen))};
        if (!bucket.has(now, cost)) return false;
        bucket.take(now, cost);
        if (arrivals_full_at_.compare_exchange_weak(seen, bucket.full_at.time_since_epoch().count())) return true;
    }
}

std::unexpected<VisitorLimit> VisitorLimits::refuse(VisitorLimit limit, const IpAddress& address) {
    refused_[static_cast<std::size_t>(limit)].fetch_add(1, std::memory_order_relaxed);
    if (const std::unique_lock lock(last_mutex_, std::try_to_lock); lock) last_refused_[static_cast<std::size_t>(limit)] = address;
    return std::unexpected(limit);
}

// Called at twice the entries that were left the last time, so that its cost is shared by as many arrivals.
void VisitorLimits::forget_idle(Shard& shard, TimePoint now) {
    std::erase_if(shard.addresses, [&](const auto& item) { return item.second.is_forgettable(now); });
    const auto idle = std::ranges::count_if(shard.addresses, [](const auto& item) { return item.second.is_idle(); });
    if (static_cast<std::size_t>(idle) > kMostIdle / kShards)
        std::erase_if(shard.addresses, [](const auto& item) { return item.second.is_idle(); });
    shard.look_at = std::max<std::size_t>(64, 2 * shard.addresses.size());
}

std::size_t VisitorLimits::addresses() const {
    std::size_t total = 0;
    for (const Shard& shard : shards_) {
        const std::lock_guard lock(shard.mutex);
        total += shard.addresses.size();
    }
    return total;
}

std::string VisitorLimits::last_refused(VisitorLimit limit) const {
    const std::lock_guard lock(last_mutex_);
    IpAddress address = last_refused_[static_cast<std::size_t>(limit)];
    if (address.is_v4()) return address.text();
    std::fill(address.octets.begin() + kPrefixOctets, address.octets.end(), std::uint8_t{0});
    return address.text() + "/64";
}

}  // namespace sallyport
