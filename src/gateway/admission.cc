#include "gateway/admission.h"

#include <algorithm>
#include <utility>

namespace sallyport::gateway {

std::string_view name_of(RefusalReason reason) {
    static constexpr std::array<std::string_view, kRefusalReasons> kNames = {
        "too_many_connections", "too_many_of_address", "too_many_of_user", "too_many_unauthenticated", "address_waits",
        "bad_user_name", "bad_key", "bad_password", "too_many_attempts", "grace_over",
        "no_agent", "remote_refused", "remote_unreachable", "remote_host_key"};
    return kNames[static_cast<std::size_t>(reason)];
}

IpAddress Admission::counted(std::string_view ip) {
    auto address = parse_ip_address(ip).value_or(IpAddress{});
    if (!address.is_v4()) std::fill(address.octets.begin() + 8, address.octets.end(), std::uint8_t{0});
    return address;
}

Admission::Place& Admission::Place::operator=(Place&& other) noexcept {
    if (this == &other) return *this;
    release();
    admission_ = std::exchange(other.admission_, nullptr);
    address_ = other.address_;
    user_ = std::move(other.user_);
    logged_in_ = other.logged_in_;
    return *this;
}

void Admission::Place::release() {
    if (!admission_) return;
    Admission& admission = *std::exchange(admission_, nullptr);
    --admission.connections_;
    if (!logged_in_) --admission.unauthenticated_;
    if (const auto place = admission.by_address_.find(address_); place != admission.by_address_.end() && --place->second == 0)
        admission.by_address_.erase(place);
    if (const auto place = admission.by_user_.find(user_); logged_in_ && place != admission.by_user_.end() && --place->second == 0)
        admission.by_user_.erase(place);
}

Admission::Entry Admission::enter(std::string_view ip, TimePoint now) {
    const IpAddress address = counted(ip);
    if (has_to_wait(address, now)) return {{}, RefusalReason::address_waits};
    if (connections_ >= limits_.connections) return {{}, RefusalReason::too_many_connections};
    if (unauthenticated_ >= limits_.unauthenticated) return {{}, RefusalReason::too_many_unauthenticated};
    std::uint32_t& of_address = by_address_[address];
    if (of_address >= limits_.of_address) return {{}, RefusalReason::too_many_of_address};
    ++of_address;
    ++connections_;
    ++unauthenticated_;
    Entry entry;
    entry.place.admission_ = this;
    entry.place.address_ = address;
    return entry;
}

bool Admission::log_in(Place& place, std::string_view user) {
    if (place.logged_in_) return true;
    std::uint32_t& of_user = by_user_[std::string(user)];
    if (of_user >= limits_.of_user) return false;
    ++of_user;
    --unauthenticated_;
    place.user_ = user;
    place.logged_in_ = true;
    return true;
}

void Admission::note_failure(std::string_view ip, TimePoint now) {
    if (failures_.size() >= kMostAddresses) std::erase_if(failures_, [&](const auto& entry) { return entry.second.back() + kWindow <= now; });
    const IpAddress address = counted(ip);
    if (failures_.size() >= kMostAddresses && !failures_.contains(address)) failures_.erase(failures_.begin());
    auto& times = failures_[address];
    if (times.size() >= limits_.failures) times.erase(times.begin());
    times.push_back(now);
}

bool Admission::has_to_wait(const IpAddress& address, TimePoint now) {
    const auto place = failures_.find(address);
    if (place == failures_.end()) return false;
    std::erase_if(place->second, [&](TimePoint at) { return at + kWindow <= now; });
    if (place->second.empty()) {
        failures_.erase(place);
        return false;
    }
    return place->second.size() >= limits_.failures;
}

}  // namespace sallyport::gateway
