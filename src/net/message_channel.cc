#include "net/message_channel.h"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace sallyport {
namespace {

// Room for one descriptor, aligned as the kernel wants it.
union Control {
    cmsghdr aligned;
    char octets[CMSG_SPACE(sizeof(int))];
};

}  // namespace

Result<std::pair<MessageChannel, MessageChannel>> MessageChannel::make() {
    int ends[2];
    if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) return fail_errno(errno, "socketpair");
    return std::pair(MessageChannel(Descriptor(ends[0])), MessageChannel(Descriptor(ends[1])));
}

Result<> MessageChannel::wait(short events, TimePoint deadline) const {
    for (;;) {
        const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now());
        pollfd entry{.fd = end_.get(), .events = events, .revents = 0};
        const int ready = ::poll(&entry, 1, static_cast<int>(std::max<std::chrono::milliseconds::rep>(left.count(), 0)));
        if (ready > 0) return {};
        if (ready == 0) return fail(Errc::timeout, "no answer in time");
        if (errno != EINTR) return fail_errno(errno, "poll");
    }
}

Result<> MessageChannel::send(std::string_view text, TimePoint deadline, int descriptor) {
    if (text.size() > kMaxMessage) return fail(Errc::too_large, "a message to another process is too long");
    iovec octets{.iov_base = const_cast<char*>(text.data()), .iov_len = text.size()};
    msghdr message{};
    message.msg_iov = &octets;
    message.msg_iovlen = 1;
    Control control{};
    if (descriptor >= 0) {
        message.msg_control = control.octets;
        message.msg_controllen = sizeof control.octets;
        cmsghdr* header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(sizeof(int));
        std::memcpy(CMSG_DATA(header), &descriptor, sizeof descriptor);
    }
    for (;;) {
        if (auto ready = wait(POLLOUT, deadline); !ready) return ready;
        if (::sendmsg(end_.get(), &message, MSG_NOSIGNAL | MSG_DONTWAIT) >= 0) return {};
        if (errno == EPIPE || errno == ECONNRESET) return fail(Errc::reset, "the other process is gone");
        if (errno != EAGAIN && errno != EINTR) return fail_errno(errno, "send to another process");
    }
}

Result<MessageChannel::Message> MessageChannel::receive(TimePoint deadline) {
    std::string text(kMaxMessage, '\0');
    iovec octets{.iov_base = text.data(), .iov_len = text.size()};
    for (;;) {
        if (auto ready = wait(POLLIN, deadline); !ready) return std::unexpected(ready.error());
        Control control{};
        msghdr message{};
        message.msg_iov = &octets;
        message.msg_iovlen = 1;
        message.msg_control = control.octets;
        message.msg_controllen = sizeof control.octets;
        const ssize_t size = ::recvmsg(end_.get(), &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
        if (size < 0 && (errno == EAGAIN || errno == EINTR)) continue;
        if (size < 0 && errno == ECONNRESET) return fail(Errc::reset, "the other process is gone");
        if (size < 0) return fail_errno(errno, "receive from another process");
        Message received;
        const cmsghdr* header = CMSG_FIRSTHDR(&message);
        if (header && header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_RIGHTS) {
            int descriptor = -1;
            std::memcpy(&descriptor, CMSG_DATA(header), sizeof descriptor);
            received.descriptor.reset(descriptor);
        }
        if ((message.msg_flags & MSG_TRUNC) != 0) return fail(Errc::too_large, "a message from another process is too long");
        if (size == 0 && !received.descriptor) return fail(Errc::reset, "the other process is gone");  // we send no empty ones
        text.resize(static_cast<std::size_t>(size));
        received.text = std::move(text);
        return received;
    }
}

}  // namespace sallyport
