// remote_forward.h: what ssh(1) -R asks for, "[bind:]port:host:hostport": where the server listens and where that leads at
// home. The bind address is kept as ssh(1) sends it (RFC 4254 7.1), since servers compare it octet for octet. Pure.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace sallyport {

struct RemoteForward {
    std::string bind;         // "localhost" where none was written, "" for "*"; a name or address, IPv6 without brackets
    std::uint16_t port = 0;   // 0: the server chooses
    std::string host;         // at home; IPv6 without brackets
    std::uint16_t host_port = 0;

    std::string listen_text() const;  // "127.0.0.1:8123", "[::1]:80", "*:80"
    std::string destination() const;  // "core-mosquitto:1883", "[::1]:22"
    bool binds_loopback() const;      // only the server itself can connect
    bool operator==(const RemoteForward&) const = default;
};

// Errc::invalid_argument, with a text for people.
Result<RemoteForward> parse_remote_forward(std::string_view text);
// "", "*", "localhost", a name, an address with or without brackets: as it is sent.
Result<std::string> parse_bind_address(std::string_view text);

// The option of an authorized_keys line that allows this forward and as little else as sshd can express: permitlisten="…".
// sshd takes no port 0 there, and matches the bind address of "*" only by a pattern.
std::string permit_listen_option(const RemoteForward& forward);

}  // namespace sallyport
