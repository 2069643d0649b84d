#include "net/socket_address.h"

#include <arpa/inet.h>
#include <sys/un.h>

#include <cstring>

namespace sallyport {
namespace {

const in6_addr& ipv6_of(const sockaddr_storage& storage) {
    return reinterpret_cast<const sockaddr_in6&>(storage).sin6_addr;
}
bool is_mapped_ipv4(const sockaddr_storage& storage) {
    return storage.ss_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&ipv6_of(storage));
}

}  // namespace

SocketAddress::SocketAddress() : storage_{} { storage_.ss_family = AF_UNSPEC; }

SocketAddress SocketAddress::from(const sockaddr* address, socklen_t size) {
    SocketAddress result;
    std::memcpy(&result.storage_, address, std::min<std::size_t>(size, sizeof result.storage_));
    return result;
}

Result<SocketAddress> SocketAddress::parse(std::string_view ip, std::uint16_t port) {
    const std::string text{ip};
    SocketAddress result;
    if (auto& v4 = reinterpret_cast<sockaddr_in&>(result.storage_); ::inet_pton(AF_INET, text.c_str(), &v4.sin_addr) == 1) {
        v4.sin_family = AF_INET;
        v4.sin_port = htons(port);
        return result;
    }
    if (auto& v6 = reinterpret_cast<sockaddr_in6&>(result.storage_);
        ::inet_pton(AF_INET6, text.c_str(), &v6.sin6_addr) == 1) {
        v6.sin6_family = AF_INET6;
        v6.sin6_port = htons(port);
        return result;
    }
    return fail(Errc::invalid_argument, "not an IP address: " + text);
}

SocketAddress SocketAddress::local_of(int descriptor) {
    SocketAddress result;
    socklen_t size = sizeof result.storage_;
    ::getsockname(descriptor, result.data(), &size);
    return result;
}

SocketAddress SocketAddress::peer_of(int descriptor) {
    SocketAddress result;
    socklen_t size = sizeof result.storage_;
    ::getpeername(descriptor, result.data(), &size);
    return result;
}

socklen_t SocketAddress::size() const {
    switch (storage_.ss_family) {
        case AF_INET: return sizeof(sockaddr_in);
        case AF_INET6: return sizeof(sockaddr_in6);
        default: return sizeof(sockaddr_storage);
    }
}

std::uint16_t SocketAddress::port() const {
    switch (storage_.ss_family) {
        case AF_INET: return ntohs(reinterpret_cast<const sockaddr_in&>(storage_).sin_port);
        case AF_INET6: return ntohs(reinterpret_cast<const sockaddr_in6&>(storage_).sin6_port);
        default: return 0;
    }
}

std::string SocketAddress::ip() const {
    char text[INET6_ADDRSTRLEN] = "";
    switch (storage_.ss_family) {
        case AF_INET:
            ::inet_ntop(AF_INET, &reinterpret_cast<const sockaddr_in&>(storage_).sin_addr, text, sizeof text);
            return text;
        case AF_INET6:
            if (is_mapped_ipv4(storage_)) ::inet_ntop(AF_INET, &ipv6_of(storage_).s6_addr[12], text, sizeof text);
            else ::inet_ntop(AF_INET6, &ipv6_of(storage_), text, sizeof text);
            return text;
        default: return "unix";
    }
}

std::string SocketAddress::text() const {
    if (storage_.ss_family != AF_INET && storage_.ss_family != AF_INET6) return "unix";
    const std::string address = ip();
    const std::string port_text = ":" + std::to_string(port());
    return address.contains(':') ? "[" + address + "]" + port_text : address + port_text;
}

bool SocketAddress::is_loopback() const {
    switch (storage_.ss_family) {
        case AF_UNIX: return true;
        case AF_INET: return (ntohl(reinterpret_cast<const sockaddr_in&>(storage_).sin_addr.s_addr) >> 24) == 127;
        case AF_INET6:
            return IN6_IS_ADDR_LOOPBACK(&ipv6_of(storage_)) ||
                   (is_mapped_ipv4(storage_) && ipv6_of(storage_).s6_addr[12] == 127);
        default: return false;
    }
}

}  // namespace sallyport
