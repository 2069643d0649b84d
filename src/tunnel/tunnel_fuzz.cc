// Drives one whole end of a tunnel (WebSocket frames, pipe, HTTP/2 with our callbacks, control stream) with arbitrary octets
// behind the opening handshake. First octet: which end, and into how large pieces the rest is cut.
#include <algorithm>
#include <cstdint>
#include <vector>

#include "tunnel/tunnel.h"

namespace sallyport {
namespace {

// Swallows what is sent; the fuzzer's octets are what is received.
class FakeTransport final : public Transport {
public:
    explicit FakeTransport(FakeTransport*& handle) : handle_(handle) { handle_ = this; }
    ~FakeTransport() override { handle_ = nullptr; }
    void set_owner(Owner* owner) override { owner_ = owner; }
    bool send_ready() const override { return owner_ != nullptr; }
    void send(Octets, Octets) override {}
    void pause_receive() override {}
    void resume_receive() override {}
    void end_send() override {}
    void close() override { owner_ = nullptr; }
    void abort() override { owner_ = nullptr; }
    const SocketAddress& peer_address() const override { return address_; }
    void name_peer(const SocketAddress&) override {}
    const SocketAddress& local_address() const override { return address_; }
    void receive(MutableOctets octets) {
        if (owner_) owner_->on_receive(octets);
    }
    void cut() {
        if (owner_) owner_->on_receive_end();
    }

private:
    FakeTransport*& handle_;
    Owner* owner_ = nullptr;
    SocketAddress address_;
};

// Accepts, refuses or ignores streams and sends a little on those it has; reads everything.
class Driver final : public Tunnel::Owner, public Stream::Owner {
public:
    void on_tunnel_ready() override {}
    void on_tunnel_control(std::string_view) override {}
    void on_tunnel_stream(OpenRequest request, std::unique_ptr<IncomingStream> stream) override {
        stream->set_owner(*this);
        if (request.target.size() % 3 == 0) stream->refuse({403, "http_request_denied", request.target});
        else if (request.target.size() % 3 == 1) stream->accept();
        streams.push_back(std::move(stream));
    }
    void on_tunnel_closed(const Error&) override {}
    void on_stream_accepted() override {}
    void on_stream_refused(const Refusal&) override {}
    void on_stream_octets(Octets octets) override {
        for (const StreamPtr& stream : streams) stream->consumed(octets.size());
    }
    void on_stream_end() override {}
    void on_stream_reset(const Error&) override {}
    Stream::Pulled on_stream_pull(MutableOctets room) override {
        if (left == 0) return {};
        const std::size_t count = std::min(room.size(), left);
        std::fill_n(room.begin(), count, std::byte{'x'});
        left -= count;
        return {count, left == 0};
    }
    std::vector<StreamPtr> streams;
    std::size_t left = 100'000;
};

}  // namespace
}  // namespace sallyport

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace sallyport;
    if (size == 0) return 0;
    const TunnelRole role = data[0] & 1 ? TunnelRole::agent : TunnelRole::relay;
    const std::size_t piece = 1 + (data[0] >> 1) * 64u;
    std::vector<std::byte> octets(as_octets(data, size).begin() + 1, as_octets(data, size).end());

    Loop loop;
    Driver driver;
    FakeTransport* wire = nullptr;  // null again once the tunnel has thrown its transport away
    auto transport = std::make_unique<FakeTransport>(wire);
    auto tunnel = Tunnel::make(loop, role, std::move(transport), "", {}, driver);
    for (int i = 0; role == TunnelRole::relay && i < 3; ++i)
        if (auto stream = tunnel->open({"target", "for=192.0.2.1"}, driver)) driver.streams.push_back(std::move(*stream));
    loop.turn(Duration::zero());
    for (std::size_t at = 0; at < octets.size(); at += piece) {
        if (wire) wire->receive(std::span(octets).subspan(at, std::min(piece, octets.size() - at)));
        loop.turn(Duration::zero());
    }
    if (wire) wire->cut();
    loop.turn(Duration::zero());
    driver.streams.clear();
    return 0;
}
