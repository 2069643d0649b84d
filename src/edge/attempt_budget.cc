#include "edge/attempt_budget.h"

#include <algorithm>

namespace sallyport {
namespace {

constexpr double kAddressRate = 1;  // a second

IpAddress counted_as(std::string_view ip) {
    IpAddress address = parse_ip_address(ip).value_or(IpAddress{});
    if (!address.is_v4()) std::fill(address.octets.begin() + 8, address.octets.end(), std::uint8_t{0});
    return address;
}

}  // namespace

void AttemptBudget::Bucket::fill(double rate, double most, TimePoint now) {
    if (at == TimePoint{}) at = now;
    left = std::min(most, left + rate * std::chrono::duration<double>(now - at).count());
    at = now;
}

bool AttemptBudget::try_take(std::string_view ip, TimePoint now) {
    all_.fill(each_second_, each_second_, now);
    if (all_.left < 1) return false;
    if (addresses_.size() >= kMostAddresses) make_room(now);
    Bucket& own = addresses_.try_emplace(counted_as(ip), Bucket{of_an_address_, now}).first->second;
    own.fill(kAddressRate, of_an_address_, now);
    if (own.left < 1) return false;
    own.left -= 1;
    all_.left -= 1;
    return true;
}

// Whoever has all of its attempts again needs no entry. If that isn't enough, some address is forgotten: the bound on all remains.
void AttemptBudget::make_room(TimePoint now) {
    std::erase_if(addresses_, [&](const auto& entry) {
        Bucket bucket = entry.second;
        bucket.fill(kAddressRate, of_an_address_, now);
        return bucket.left >= of_an_address_;
    });
    if (addresses_.size() >= kMostAddresses) addresses_.erase(addresses_.begin());
}

}  // namespace sallyport
