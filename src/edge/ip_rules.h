// ip_rules.h: from which addresses a route may be visited. A denied network wins over every allowed one; where there is an
// allowed one, addresses outside all of them are refused. Pure.
#pragma once
#include <algorithm>
#include <string_view>
#include <vector>

#include "wire/ip_network.h"

namespace sallyport {

struct IpRules {
    std::vector<IpNetwork> allow;
    std::vector<IpNetwork> deny;

    bool empty() const { return allow.empty() && deny.empty(); }
    // `ip`: a bare address. Where there are rules, text that is no address is refused.
    bool admits(std::string_view ip) const {
        if (empty()) return true;
        const Result<IpAddress> address = parse_ip_address(ip);
        if (!address) return false;
        const auto contains = [&](const IpNetwork& network) { return network.contains(*address); };
        if (std::ranges::any_of(deny, contains)) return false;
        return allow.empty() || std::ranges::any_of(allow, contains);
    }
};

}  // namespace sallyport
