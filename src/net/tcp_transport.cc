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

private:
    void take_wire(MutableOctets octets) override { owner_->on_receive(octets); }
    void take_wire_end() override { owner_->on_receive_end(); }
};

}  // namespace

TransportPtr make_plain_transport(Loop& loop, Descriptor connected, std::string received) {
    return std::make_unique<PlainTransport>(loop, std::move(connected), std::move(received));
}

}  // namespace sallyport
