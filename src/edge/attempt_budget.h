// attempt_budget.h: how many passwords may be tried: so many a second in all, and of each address so many at once and then one a
// second. Addresses are counted as whoever has them can't easily change them: IPv4 whole, IPv6 by /64. Bounded memory. Pure.
#pragma once
#include <cstddef>
#include <string_view>
#include <unordered_map>

#include "base/clock.h"
#include "wire/ip_network.h"

namespace sallyport {

class AttemptBudget {
public:
    AttemptBudget(unsigned each_second, unsigned of_an_address) : each_second_(each_second), of_an_address_(of_an_address), all_{double(each_second), {}} {}

    // Takes one attempt if there is one.
    bool try_take(std::string_view ip, TimePoint now);
    std::size_t addresses() const { return addresses_.size(); }

private:
    static constexpr std::size_t kMostAddresses = 8192;
    struct Bucket {
        double left;
        TimePoint at;
        void fill(double rate, double most, TimePoint now);
    };
    struct HashOfAddress {
        std::size_t operator()(const IpAddress& address) const {
            return std::hash<std::string_view>{}({reinterpret_cast<const char*>(address.octets.data()), address.octets.size()});
        }
    };
    void make_room(TimePoint now);

    double each_second_;
    double of_an_address_;
    Bucket all_;
    std::unordered_map<IpAddress, Bucket, HashOfAddress> addresses_;
};

}  // namespace sallyport
