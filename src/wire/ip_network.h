// ip_network.h: an IP address, and a network in CIDR notation (RFC 4632, RFC 4291 2.3), as values to compare. An
// IPv4-mapped IPv6 address is the IPv4 it stands for, so that one list serves sockets of both families. Pure.
#pragma once
#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"

namespace sallyport {

struct IpAddress {
    std::array<std::uint8_t, 16> octets{};  // IPv4 as ::ffff:a.b.c.d
    bool is_v4() const;
    // The form of RFC 5952; IPv4 dotted.
    std::string text() const;
    auto operator<=>(const IpAddress&) const = default;
};

// A literal: "192.0.2.1", "2001:db8::1". No brackets, no zone. Errc::invalid_argument.
Result<IpAddress> parse_ip_address(std::string_view text);

class IpNetwork {
public:
    // "192.0.2.0/24", "2001:db8::/32", or one address. Errc::invalid_argument, with a text for people: no address, a
    // length out of range, or octets set behind it (192.0.2.1/24: it isn't clear what is meant).
    static Result<IpNetwork> parse(std::string_view text);

    bool contains(const IpAddress& address) const;
    std::string text() const;
    bool operator==(const IpNetwork&) const = default;

private:
    IpAddress address_;
    unsigned length_ = 128;  // of the prefix, in bits of the 16-octet form
};

bool contains(std::span<const IpNetwork> networks, const IpAddress& address);

}  // namespace sallyport
