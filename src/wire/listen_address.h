// listen_address.h: where to listen: ":8443" (every address, v6 and v4), "127.0.0.1:0" (the kernel chooses the port),
// "[::1]:80", "localhost:80" (127.0.0.1). Addresses only: nothing is resolved. Pure.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace sallyport {

struct ListenAddress {
    std::string host;  // "" is every address; IPv6 without brackets
    std::uint16_t port = 0;

    std::string text() const;
    bool is_loopback() const;
    bool operator==(const ListenAddress&) const = default;
};

Result<ListenAddress> parse_listen_address(std::string_view text);  // Errc::invalid_argument, with a text for people

}  // namespace sallyport
