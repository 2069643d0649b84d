// forward_line.h: "[bind:]port:host:port", the way ssh(1) and autossh write what -R forwards: where the far machine listens
// and where that leads. Pure.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"
#include "wire/listen_address.h"

namespace sallyport {

struct ForwardLine {
    ListenAddress listen;  // without bind 127.0.0.1, as sshd does by default; "*" and "" are every address
    std::string host;      // a name or address, IPv6 without brackets
    std::uint16_t port = 0;

    std::string destination() const;  // "core-mosquitto:1883", "[::1]:22"
    bool operator==(const ForwardLine&) const = default;
};

Result<ForwardLine> parse_forward_line(std::string_view text);  // Errc::invalid_argument, with a text for people

}  // namespace sallyport
