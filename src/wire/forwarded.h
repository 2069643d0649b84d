// forwarded.h: one element of the Forwarded field (RFC 7239), which tells the agent on a CONNECT stream who the
// visitor is. Pure.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace sallyport {

struct Forwarded {
    std::string for_address;  // an IP address without brackets; empty if unknown or obfuscated
    std::optional<std::uint16_t> for_port;
    std::string proto;  // "https", or empty
    std::string host;   // as in Host, or empty
    bool operator==(const Forwarded&) const = default;
};

// for="[2001:db8::1]:4711";proto=https;host=home.example.org
std::string format_forwarded(const Forwarded& element);

// Reads the last element of the list, the one the nearest peer wrote. Errc::protocol; Errc::too_large above 4 KiB.
Result<Forwarded> parse_forwarded(std::string_view field_value);

}  // namespace sallyport
