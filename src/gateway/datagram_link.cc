#include "gateway/datagram_link.h"

#include <netinet/in.h>
#include <netinet/ip.h>
#include <sys/socket.h>

#include <array>
#include <cstring>

namespace sallyport::gateway {
namespace {

using std::chrono::milliseconds;

constexpr int kDatagramsATurn = 64;                 // of one direction, so that a flood leaves others their turn
constexpr milliseconds kRepeatUntilContact{100};
constexpr milliseconds kRepeatOnLoss{15};
constexpr double kLossyFrom = 0.03;
constexpr std::size_t kMostRepeated = 400;          // octets of a datagram: key strokes and acknowledgements, not a paste
constexpr std::size_t kMostRepeats = 32;            // waiting at once
constexpr milliseconds kMostRoundTrip{5'000};       // what mosh itself takes for plausible
constexpr int kServiceClass = 0x90;                 // DSCP AF42, as mosh; ECN follows what the client's datagram says
constexpr int kEcnBits = 0x03;

// One datagram with its ECN bits, so that mosh's own congestion signal survives the relaying.
struct Received {
    ssize_t size = -1;
    int ecn = 0;
};

Received receive(int socket, MutableOctets room, SocketAddress* from) {
    iovec vector{room.data(), room.size()};
    alignas(cmsghdr) std::array<char, 64> control;
    msghdr message{};
    if (from) {
        message.msg_name = from->data();
        message.msg_namelen = sizeof(sockaddr_storage);
    }
    message.msg_iov = &vector;
    message.msg_iovlen = 1;
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    Received received;
    received.size = ::recvmsg(socket, &message, MSG_DONTWAIT);
    if (received.size < 0) return received;
    if (message.msg_flags & MSG_TRUNC) received.size = 0;  // none of mosh's
    for (cmsghdr* c = CMSG_FIRSTHDR(&message); c; c = CMSG_NXTHDR(&message, c)) {
        if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_TOS) {
            received.ecn = *CMSG_DATA(c) & kEcnBits;
        } else if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_TCLASS) {
            int value = 0;
            std::memcpy(&value, CMSG_DATA(c), sizeof value);
            received.ecn = value & kEcnBits;
        }
    }
    return received;
}

Result<Descriptor> open_socket(int family) {
    Descriptor socket(::socket(family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    if (!socket) return fail_errno(errno, "open a UDP socket");
    const int on = 1;
    if (family == AF_INET6) {
        ::setsockopt(socket.get(), IPPROTO_IPV6, IPV6_TCLASS, &kServiceClass, sizeof kServiceClass);
        ::setsockopt(socket.get(), IPPROTO_IPV6, IPV6_RECVTCLASS, &on, sizeof on);
    } else {
        ::setsockopt(socket.get(), IPPROTO_IP, IP_TOS, &kServiceClass, sizeof kServiceClass);
        ::setsockopt(socket.get(), IPPROTO_IP, IP_RECVTOS, &on, sizeof on);
        const int no_discovery = IP_PMTUDISC_DONT;  // a path with a small MTU fragments, as with mosh alone
        ::setsockopt(socket.get(), IPPROTO_IP, IP_MTU_DISCOVER, &no_discovery, sizeof no_discovery);
    }
    return socket;
}

// Of those by which the kernel says that this socket won't get anywhere again, whatever comes of the network.
bool is_stale(int error) { return error == EINVAL || error == EADDRNOTAVAIL || error == ENETUNREACH || error == EHOSTUNREACH; }

// Returns errno, or 0.
int send_with_ecn(int socket, int family, Octets datagram, const SocketAddress* to, int ecn) {
    iovec vector{const_cast<std::byte*>(datagram.data()), datagram.size()};
    alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
    msghdr message{};
    if (to) {
        message.msg_name = const_cast<sockaddr*>(to->data());
        message.msg_namelen = to->size();
    }
    message.msg_iov = &vector;
    message.msg_iovlen = 1;
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    cmsghdr* c = CMSG_FIRSTHDR(&message);
    c->cmsg_level = family == AF_INET6 ? IPPROTO_IPV6 : IPPROTO_IP;
    c->cmsg_type = family == AF_INET6 ? IPV6_TCLASS : IP_TOS;
    c->cmsg_len = CMSG_LEN(sizeof(int));
    const int value = kServiceClass | ecn;
    std::memcpy(CMSG_DATA(c), &value, sizeof value);
    // What the kernel can't take now is lost like any datagram; mosh sends again.
    return ::sendmsg(socket, &message, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 ? errno : 0;
}

}  // namespace

struct DatagramLink::Outer final : Watch::Owner {
    Outer(DatagramLink& l, Descriptor s) : link(l), socket(std::move(s)), watch(l.loop_, socket.get(), *this), opened(l.loop_.now()) {
        watch.want_read(true);
    }
    void on_readable() override { link.take_from_server(*this); }
    void on_writable() override {}
    DatagramLink& link;
    Descriptor socket;
    Watch watch;
    TimePoint opened;
};

DatagramLink::DatagramLink(Loop& loop, const Settings& settings, const SocketAddress& server, MoshDatagramOpener opener, Owner& owner)
    : loop_(loop), settings_(settings), server_(server), opener_(std::move(opener)), owner_(owner), repeat_timer_(loop, [this] { run_repeats(); }) {}

DatagramLink::~DatagramLink() = default;

Result<std::unique_ptr<DatagramLink>> DatagramLink::open(Loop& loop, const Settings& settings, const SocketAddress& server,
                                                         const Secret& key, Owner& owner) {
    auto opener = MoshDatagramOpener::make(key);
    if (!opener) return std::unexpected(std::move(opener.error()));
    std::unique_ptr<DatagramLink> link(new DatagramLink(loop, settings, server, std::move(*opener), owner));
    if (auto ready = link->set_up(); !ready) return std::unexpected(std::move(ready.error()));
    return link;
}

Result<> DatagramLink::set_up() {
    auto inner = open_socket(AF_INET);
    if (!inner) return std::unexpected(std::move(inner.error()));
    const auto loopback = SocketAddress::parse("127.0.0.1", 0);
    if (::bind(inner->get(), loopback->data(), loopback->size()) != 0) return fail_errno(errno, "bind a UDP socket to 127.0.0.1");
    inner_ = std::move(*inner);
    auto outer = make_outer();
    if (!outer) return std::unexpected(std::move(outer.error()));
    outer_ = std::move(*outer);
    inner_watch_.reset(new Watch(loop_, inner_.get(), *this));
    inner_watch_->want_read(true);
    return {};
}

Result<std::unique_ptr<DatagramLink::Outer>> DatagramLink::make_outer() {
    auto socket = open_socket(server_.family());
    if (!socket) return std::unexpected(std::move(socket.error()));
    if (::connect(socket->get(), server_.data(), server_.size()) != 0)
        return fail_errno(errno, "reach " + server_.text() + " by UDP");
    return std::make_unique<Outer>(*this, std::move(*socket));
}

LinkState DatagramLink::state() const {
    LinkState state;
    if (last_contact_) state.since_contact = loop_.now() - *last_contact_;
    state.round_trip = round_trip_;
    state.loss = loss_.loss();
    state.received_octets = received_octets_;
    state.sent_octets = sent_octets_;
    return state;
}

// ---- from mosh-client

void DatagramLink::on_readable() {
    std::array<std::byte, kMostMoshDatagram> room;
    for (int i = 0; i < kDatagramsATurn; ++i) {
        SocketAddress from;
        const Received received = receive(inner_.get(), room, &from);
        if (received.size < 0) return;
        const Octets datagram(room.data(), static_cast<std::size_t>(received.size));
        const auto opened = opener_.open(datagram);
        if (!opened || opened->direction != MoshDatagram::Direction::to_server) continue;  // not our mosh-client
        if (!client_known_ || from.text() != client_.text()) {
            // mosh-client takes another port after 10 s of silence, to get through a NAT that has forgotten it: so do we.
            if (client_known_) {
                if (auto next = make_outer()) {
                    previous_ = std::move(outer_);
                    outer_ = std::move(*next);
                }
            }
            client_ = from;
            client_known_ = true;
        }
        to_server(datagram, received.ecn);
        if (settings_.repeat) repeat_later(datagram);
    }
}

void DatagramLink::to_server(Octets datagram, int ecn) {
    sent_octets_ += datagram.size();
    if (!is_stale(send_with_ecn(outer_->socket.get(), server_.family(), datagram, nullptr, ecn))) return;
    // Our address is gone, most likely: the socket was bound to it when it was connected. A new one takes the address of now.
    auto next = make_outer();
    if (!next) return;
    loop_.dispose(std::move(outer_));
    outer_ = std::move(*next);
    send_with_ecn(outer_->socket.get(), server_.family(), datagram, nullptr, ecn);
}

// ---- from mosh-server

void DatagramLink::take_from_server(Outer& from) {
    std::array<std::byte, kMostMoshDatagram> room;
    for (int i = 0; i < kDatagramsATurn; ++i) {
        const Received received = receive(from.socket.get(), room, nullptr);
        if (received.size < 0) {
            if (errno != ECONNREFUSED) return;
            if (!first_refused_) first_refused_ = loop_.now();
            if (loop_.now() - *first_refused_ >= settings_.refused_after) {
                first_refused_.reset();
                return owner_.on_link_refused();
            }
            continue;
        }
        const Octets datagram(room.data(), static_cast<std::size_t>(received.size));
        const bool first = !last_contact_;
        note_server_datagram(datagram);
        if (first && last_contact_) {
            repeats_.clear();
            repeat_timer_.cancel();
            owner_.on_link_contact();
        }
        if (client_known_) (void)send_with_ecn(inner_.get(), AF_INET, datagram, &client_, received.ecn);
        if (&from == outer_.get() && previous_) loop_.dispose(std::move(previous_));
    }
}

void DatagramLink::note_server_datagram(Octets datagram) {
    received_octets_ += datagram.size();
    const auto opened = opener_.open(datagram);
    if (!opened || opened->direction != MoshDatagram::Direction::to_client) return;
    last_contact_ = loop_.now();
    first_refused_.reset();
    loss_.note(opened->sequence);
    if (!opened->timestamp_reply) return;
    // mosh-client's time stamps are the monotonic clock of this machine in milliseconds; see timestamp() in mosh.
    const auto now = std::chrono::duration_cast<milliseconds>(loop_.exact_now().time_since_epoch()).count();
    const milliseconds sample(static_cast<std::uint16_t>(now - *opened->timestamp_reply));
    if (sample > kMostRoundTrip) return;
    round_trip_ = round_trip_ ? *round_trip_ + (sample - *round_trip_) / 8 : Duration(sample);  // RFC 6298 2.3
}

// ---- sending again

void DatagramLink::repeat_later(Octets datagram) {
    if (!last_contact_) {
        repeats_.clear();
        repeats_.push_back({loop_.now() + kRepeatUntilContact, {datagram.begin(), datagram.end()}});
    } else {
        if (loss_.loss().value_or(0) < kLossyFrom || datagram.size() > kMostRepeated || repeats_.size() >= kMostRepeats) return;
        repeats_.push_back({loop_.now() + kRepeatOnLoss, {datagram.begin(), datagram.end()}});
    }
    if (!repeat_timer_.running()) repeat_timer_.start(repeats_.front().due - loop_.now());
}

void DatagramLink::run_repeats() {
    while (!repeats_.empty() && repeats_.front().due <= loop_.now()) {
        Repeat repeat = std::move(repeats_.front());
        repeats_.pop_front();
        to_server(repeat.datagram, 0);
        if (last_contact_) continue;
        repeat.due = loop_.now() + kRepeatUntilContact;
        repeats_.push_back(std::move(repeat));
    }
    if (!repeats_.empty()) repeat_timer_.start(std::max(Duration(1), repeats_.front().due - loop_.now()));
}

}  // namespace sallyport::gateway
