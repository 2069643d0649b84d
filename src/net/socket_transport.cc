#include "net/socket_transport.h"

#include <sys/socket.h>
#include <sys/uio.h>

#include <array>
#include <cerrno>

#include "net/socket.h"

namespace sallyport {
namespace {

constexpr std::size_t kMostLastReads = 16;  // of a quantum each; more than a kernel holds by default

}  // namespace

SocketTransport::SocketTransport(Loop& loop, Descriptor connected, std::string received, std::size_t receive_quantum)
    : loop_(loop),
      received_(std::move(received)),
      descriptor_(std::move(connected)),
      peer_(SocketAddress::peer_of(descriptor_.get())),
      local_(SocketAddress::local_of(descriptor_.get())),
      receive_quantum_(receive_quantum),
      watch_(loop, descriptor_.get(), *this),
      turn_end_(loop, [this] { at_turn_end(); }) {}

void SocketTransport::set_owner(Transport::Owner* owner) {
    owner_ = owner;
    update_read();
}

void SocketTransport::limit_unsent(ByteCount octets) {
    unsent_limit_ = octets;
    if (!closed_) sallyport::limit_unsent(descriptor_.get(), octets);
}

Transport::Unsent SocketTransport::unsent() const {
    if (closed_) return {};
    const ByteCount octets = unsent_octets(descriptor_.get());
    return {octets, octets == 0 || ran_dry_};
}

bool SocketTransport::all_arrived() const {
    return !closed_ && pending_.empty() && unacknowledged_octets(descriptor_.get()) == 0;
}

void SocketTransport::pause_receive() {
    paused_ = true;
    update_read();
}

void SocketTransport::resume_receive() {
    paused_ = false;
    update_read();
}

void SocketTransport::update_read() {
    if (closed_) return;
    const bool on = !paused_ && !receive_ended_ && wants_wire();
    watch_.want_read(on);
    watch_.want_hangup(!on && owner_);
    if (on && !received_.empty()) turn_end_.ask();
}

void SocketTransport::put_wire(Octets head, Octets body) {
    std::size_t left = 0;
    if (pending_.empty()) {
        std::array<iovec, 2> parts{iovec{const_cast<std::byte*>(head.data()), head.size()},
                                   iovec{const_cast<std::byte*>(body.data()), body.size()}};
        msghdr message{};
        message.msg_iov = parts.data();
        message.msg_iovlen = body.empty() ? 1 : 2;
        const ssize_t sent = ::sendmsg(descriptor_.get(), &message, MSG_NOSIGNAL);
        if (sent < 0 && errno != EAGAIN && errno != EINTR) return fail_later(system_error(errno, "send"));
        if (sent > 0) left = static_cast<std::size_t>(sent);
    }
    for (const Octets part : {head, body}) {
        const std::size_t gone = std::min(left, part.size());
        left -= gone;
        pending_.insert(pending_.end(), part.begin() + static_cast<std::ptrdiff_t>(gone), part.end());
    }
    pending_held_.set(pending_.size());
    unsent_at_most_ += head.size() + body.size();
    look_whether_full();
    if (!full_ && pending_.empty()) return;
    ran_dry_ = false;
    watch_.want_write(true);
}

// The kernel minds its limit only where it begins a new buffer, every 64 KiB or so: too late on a slow line. Where the limit is a
// whole send anyway, it isn't asked.
void SocketTransport::look_whether_full() {
    full_ = false;
    if (unsent_limit_ == 0 || unsent_limit_ >= kSendQuantum || unsent_at_most_ < unsent_limit_) return;
    unsent_at_most_ = unsent_octets(descriptor_.get());
    full_ = pending_.empty() && unsent_at_most_ >= unsent_limit_;
}

void SocketTransport::on_readable() {
    if (closed_ || paused_ || !wants_wire()) return;
    if (!received_.empty()) {
        std::string received = std::move(received_);
        received_.clear();
        return take_wire(std::as_writable_bytes(std::span(received)));
    }
    auto& buffer = loop_.buffers().received;
    const ssize_t size = ::recv(descriptor_.get(), buffer.data(), receive_quantum_, 0);
    if (size > 0) return take_wire(MutableOctets(buffer.data(), static_cast<std::size_t>(size)));
    if (size == 0) {
        receive_ended_ = true;
        update_read();
        return take_wire_end();
    }
    if (errno != EAGAIN && errno != EINTR) fail_with(system_error(errno, "receive"));
}

void SocketTransport::on_writable() {
    if (unsent_limit_ > 0 && !ran_dry_) ran_dry_ = unsent_octets(descriptor_.get()) == 0;
    if (!pending_.empty()) {
        const ssize_t sent = ::send(descriptor_.get(), pending_.data(), pending_.size(), MSG_NOSIGNAL);
        if (sent < 0) {
            if (errno == EAGAIN || errno == EINTR) return;
            return fail_later(system_error(errno, "send"));
        }
        pending_.erase(pending_.begin(), pending_.begin() + sent);
        pending_held_.set(pending_.size());
        if (!pending_.empty()) return;
        std::vector<std::byte>().swap(pending_);  // idle connections hold no buffer
        look_whether_full();
        if (full_ && !ended_) return;
    }
    full_ = false;
    watch_.want_write(false);
    if (ended_) ::shutdown(descriptor_.get(), SHUT_WR);
    else if (owner_) owner_->on_send_ready();
}

void SocketTransport::on_hangup() {
    if (const Result<> alive = connect_result(descriptor_.get()); !alive) return fail_with(alive.error());
    watch_.want_hangup(false);  // both ends are shut in order; what is left to read waits for resume_receive
}

void SocketTransport::end_send() {
    if (closed_ || ended_) return;
    before_end();
    ended_ = true;
    if (pending_.empty()) ::shutdown(descriptor_.get(), SHUT_WR);
}

void SocketTransport::close() {
    if (!closed_ && !ended_) before_end();
    cut();
}

void SocketTransport::abort() {
    if (closed_) return;
    const linger at_once{1, 0};
    ::setsockopt(descriptor_.get(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    cut();
}

void SocketTransport::cut() {
    if (!closed_) take_descriptor();
}

Descriptor SocketTransport::take_descriptor() {
    closed_ = true;
    owner_ = nullptr;
    watch_.want_read(false);
    watch_.want_write(false);
    watch_.want_hangup(false);
    return std::move(descriptor_);
}

void SocketTransport::fail_with(const Error& error) {
    if (closed_) return;
    Transport::Owner* owner = owner_;
    cut();
    on_failed(error);
    if (owner) owner->on_transport_error(error);
}

void SocketTransport::fail_later(Error error) {
    if (!failure_) failure_ = std::move(error);
    turn_end_.ask();
}

void SocketTransport::at_turn_end() {
    if (failure_) {
        // What the peer sent before it went is still there to be read, and may say why (a WebSocket close frame).
        for (std::size_t turn = 0; turn < kMostLastReads && !closed_ && !receive_ended_; ++turn) on_readable();
        return fail_with(*failure_);
    }
    if (!received_.empty()) on_readable();
}

}  // namespace sallyport
