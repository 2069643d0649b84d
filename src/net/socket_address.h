// socket_address.h: an IPv4 or IPv6 address with a port, as a value.
#pragma once
#include <netinet/in.h>
#include <sys/socket.h>

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace sallyport {

class SocketAddress {
public:
    SocketAddress();
    static SocketAddress from(const sockaddr* address, socklen_t size);
    // `ip` is a literal: "127.0.0.1" or "::1" (no brackets, no zone).
    static Result<SocketAddress> parse(std::string_view ip, std::uint16_t port);
    static SocketAddress local_of(int descriptor);
    static SocketAddress peer_of(int descriptor);

    const sockaddr* data() const { return reinterpret_cast<const sockaddr*>(&storage_); }
    sockaddr* data() { return reinterpret_cast<sockaddr*>(&storage_); }
    socklen_t size() const;
    int family() const { return storage_.ss_family; }
    std::uint16_t port() const;

    // The address alone, an IPv4-mapped IPv6 address shown as the IPv4 it is: "192.0.2.1", "2001:db8::1".
    std::string ip() const;
    // With port, IPv6 in brackets: "[2001:db8::1]:443". A Unix socket gives "unix".
    std::string text() const;
    bool is_loopback() const;

private:
    sockaddr_storage storage_;
};

}  // namespace sallyport
