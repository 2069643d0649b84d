#include "ssh/agent_socket.h"

#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>

namespace sallyport::ssh {
namespace {

// The agent's messages are short questions and answers (at most 256 KiB each); one piece waits in each direction.
class Bridge final : public AgentSocket, private Channel::Owner, private Watch::Owner {
public:
    Bridge(Loop& loop, Descriptor ours, Descriptor theirs)
        : descriptor_(std::move(ours)), theirs_(std::move(theirs)), watch_(loop, descriptor_.get(), *this) {}

    Result<> open(const Open& open) {
        Result<ChannelPtr> channel = open(*this);
        if (!channel) return std::unexpected(channel.error());
        channel_ = *std::move(channel);
        return {};
    }
    Descriptor take_end() override { return std::move(theirs_); }

private:
    void on_channel_open() override { watch_.want_read(true); }
    void on_channel_refused(const Error&) override { over(); }
    void on_channel_octets(Octets octets) override {
        to_socket_.append(as_text(octets));
        flush();
    }
    void on_channel_error_octets(Octets octets) override {
        if (channel_) channel_->consumed(octets.size());
    }
    void on_channel_eof() override { over(); }
    void on_channel_closed(const Error&) override { over(); }
    Channel::Pulled on_channel_pull(MutableOctets room) override {
        const ssize_t n = ::recv(descriptor_.get(), room.data(), room.size(), 0);
        if (n < 0) {
            watch_.want_read(errno == EAGAIN || errno == EINTR);
            return {};
        }
        if (n == 0) return {.octets = 0, .end = true};
        watch_.want_read(true);
        return {.octets = static_cast<std::size_t>(n)};
    }
    void on_readable() override {
        if (!channel_) return;
        watch_.want_read(false);
        channel_->wake();
    }
    void on_writable() override { flush(); }
    void flush() {
        while (!to_socket_.empty()) {
            const ssize_t n = ::send(descriptor_.get(), to_socket_.data(), to_socket_.size(), MSG_NOSIGNAL);
            if (n < 0 && errno == EAGAIN) break;
            if (n <= 0) return over();
            to_socket_.erase(0, static_cast<std::size_t>(n));
            if (channel_) channel_->consumed(static_cast<ByteCount>(n));
        }
        watch_.want_write(!to_socket_.empty());
    }
    void over() {
        watch_.want_read(false);
        watch_.want_write(false);
        if (channel_) channel_->close();
        ::shutdown(descriptor_.get(), SHUT_RDWR);
    }

    Descriptor descriptor_;
    Descriptor theirs_;
    std::string to_socket_;
    Watch watch_;
    ChannelPtr channel_;
};

}  // namespace

Result<std::unique_ptr<AgentSocket>> AgentSocket::make(Loop& loop, const Open& open) {
    std::array<int, 2> pair{};
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair.data()) != 0)
        return fail_errno(errno, "make a socket pair for an agent");
    auto bridge = std::make_unique<Bridge>(loop, Descriptor(pair[0]), Descriptor(pair[1]));
    if (Result<> opened = bridge->open(open); !opened) return std::unexpected(opened.error());
    return bridge;
}

}  // namespace sallyport::ssh
