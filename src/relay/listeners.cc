#include "relay/listeners.h"

#include <sys/socket.h>

#include <cerrno>

#include "net/socket.h"
#include "relay/predecessor.h"

namespace sallyport::relay {
namespace {

// SO_REUSEPORT lets any other process of the same user listen beside us, and take half the connections: so a second relay on
// the same port must be noticed before. Without the option the kernel refuses as long as anybody listens.
Result<> check_nobody_listens(const SocketAddress& address) {
    const Descriptor probe(::socket(address.family(), SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (!probe) return fail_errno(errno, "listen on " + address.text());
    const int on = 1;
    ::setsockopt(probe.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);  // connections of before may still be closing
    if (::bind(probe.get(), address.data(), address.size()) != 0 || ::listen(probe.get(), 1) != 0)
        return fail_errno(errno, "listen on " + address.text());
    return {};
}

enum class Others { refused, expected };

Result<Listeners> listen_everywhere(SocketAddress address, std::size_t count, Others others) {
    if (address.port() != 0 && others == Others::refused)
        if (const auto free = check_nobody_listens(address); !free) return std::unexpected(free.error());
    Listeners listeners;
    while (listeners.descriptors.size() < count) {
        auto listener = listen_tcp(address);
        if (!listener) return std::unexpected(listener.error());
        address = SocketAddress::local_of(listener->get());
        listeners.descriptors.push_back(std::move(*listener));
    }
    listeners.address = address;
    return listeners;
}

Error explain(const Error& error, const ListenAddress& address, std::string_view key) {
    const std::string where = std::string(key) + " " + address.text();
    if (error.code == Errc::address_in_use)
        return {error.code, where + ": the port is in use by another program (ss -ltnp shows which)"};
    if (error.code == Errc::permission_denied)
        return {error.code, where +
                                ": no right to use ports below 1024; run setcap cap_net_bind_service=+ep on the program, or start "
                                "it from systemd with AmbientCapabilities=CAP_NET_BIND_SERVICE, or choose another port, like " +
                                std::string(key) + ": :" + (key == "https_listen" ? "8443" : "8080")};
    return {error.code, where + ": " + error.detail};
}

Result<Listeners> listen_beside(const ListenAddress& address, std::size_t count, std::string_view key, Others others) {
    const bool any = address.host.empty();
    auto parsed = SocketAddress::parse(any ? "::" : address.host, address.port);
    if (!parsed) return std::unexpected(explain(parsed.error(), address, key));
    auto listeners = listen_everywhere(*parsed, count, others);
    if (!listeners && any && listeners.error().code != Errc::address_in_use && listeners.error().code != Errc::permission_denied)
        listeners = listen_everywhere(*SocketAddress::parse("0.0.0.0", address.port), count, others);  // a host without IPv6
    if (!listeners) return std::unexpected(explain(listeners.error(), address, key));
    return listeners;
}

}  // namespace

Result<Listeners> listen_on(const ListenAddress& address, std::size_t count, std::string_view key) {
    return listen_beside(address, count, key, Others::refused);
}

Result<Listeners> take_or_listen(Predecessor* predecessor, const ListenAddress& address, std::size_t count, std::string_view name) {
    Listeners listeners;
    if (predecessor) listeners.descriptors = predecessor->take(name, address.text());
    const std::size_t taken = listeners.descriptors.size();
    if (taken == 0) {
        // The old process may listen on that port at another address (127.0.0.1:443, now :443).
        const Others others = predecessor && predecessor->listens_on(address.port) ? Others::expected : Others::refused;
        return listen_beside(address, count, std::string(name) + "_listen", others);
    }
    for (std::size_t i = taken; i < count; ++i) {
        listeners.descriptors.push_back(copy_of(listeners.descriptors[i % taken].get()));
        if (!listeners.descriptors.back()) return fail(Errc::no_space, "descriptors have run out");
    }
    listeners.address = SocketAddress::local_of(listeners.descriptors.front().get());
    return listeners;
}

}  // namespace sallyport::relay
