#include "net/address_watch.h"

#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>

namespace sallyport {
namespace {

constexpr int kMostMessages = 64;  // a turn; what is left comes in the next one

Descriptor subscribe() {
    Descriptor socket(::socket(AF_NETLINK, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, NETLINK_ROUTE));
    sockaddr_nl local{};
    local.nl_family = AF_NETLINK;
    local.nl_groups = RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR | RTMGRP_IPV4_ROUTE | RTMGRP_IPV6_ROUTE;
    if (socket && ::bind(socket.get(), reinterpret_cast<const sockaddr*>(&local), sizeof local) != 0) return {};
    return socket;
}

}  // namespace

AddressWatch::AddressWatch(Loop& loop, std::function<void()> on_change)
    : socket_(subscribe()), settling_(loop, std::move(on_change)) {
    if (!socket_) return;
    watch_.emplace(loop, socket_.get(), static_cast<Watch::Owner&>(*this));
    watch_->want_read(true);
}

void AddressWatch::on_readable() {
    bool changed = false;
    for (int i = 0; i < kMostMessages; ++i) {
        std::array<std::byte, 16> start;  // of a message; the rest of it is cut off and gone
        sockaddr_nl sender{};
        socklen_t size = sizeof sender;
        const ssize_t got =
            ::recvfrom(socket_.get(), start.data(), start.size(), 0, reinterpret_cast<sockaddr*>(&sender), &size);
        if (got >= 0) {
            changed |= sender.nl_pid == 0;  // the kernel; another process may write to us, too
            continue;
        }
        if (errno == EINTR) continue;
        if (errno == EAGAIN) break;
        changed = true;
        if (errno == ENOBUFS) continue;  // messages were lost: something changed
        watch_.reset();
        break;
    }
    if (changed && !settling_.running()) settling_.start(kSettling);
}

}  // namespace sallyport
