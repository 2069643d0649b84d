#include "net/tcp_transport.h"

#include <cassert>

#include "net/socket_transport.h"

namespace sallyport {
namespace {

// What one receive brings fits one DATA frame and one send of a tunnel, its headers included.
constexpr std::size_t kReceiveQuantum = Transport::kSendQuantum - 64;

class PlainTransport final : public SocketTransport {
public:
    PlainTransport(Loop& loop, Descriptor connected, std::string received)
        : SocketTransport(loop, std::move(connected), std::move(received), kReceiveQuantum) {}

    void send(Octets head, Octets body) override {
        assert(send_ready() && head.size() + body.size() <= kSendQuantum);
        put_wire(head, body);
    }

    std::unique_ptr<ParkedPlain> park() {
        assert(!closed_);
        auto parked = std::make_unique<ParkedPlain>();
        parked->received = std::move(received_);
        parked->pending = std::move(pending_);
        parked->peer = peer_address();
        parked->receive_ended = receive_ended_;
        parked->descriptor = take_descriptor();
        return parked;
    }
    void go_on(const ParkedPlain& parked) {
        name_peer(parked.peer);
        receive_ended_ = parked.receive_ended;
        if (!parked.pending.empty()) put_wire(parked.pending);
    }

private:
    void take_wire(MutableOctets octets) override { owner_->on_receive(octets); }
    void take_wire_end() override { owner_->on_receive_end(); }
};

}  // namespace

TransportPtr make_plain_transport(Loop& loop, Descriptor connected, std::string received) {
    return std::make_unique<PlainTransport>(loop, std::move(connected), std::move(received));
}

std::unique_ptr<ParkedPlain> park_plain(Transport& made_here) { return static_cast<PlainTransport&>(made_here).park(); }

TransportPtr unpark_plain(Loop& loop, std::unique_ptr<ParkedPlain> parked) {
    auto transport = std::make_unique<PlainTransport>(loop, std::move(parked->descriptor), std::move(parked->received));
    transport->go_on(*parked);
    return transport;
}

}  // namespace sallyport
