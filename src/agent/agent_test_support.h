// agent_test_support.h: for the tests of this part: a loop driven until something is true, a folder of its own, origins
// and a relay on loopback with ports chosen by the kernel.
#pragma once
#include <fcntl.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/socket.h>

#include <algorithm>
#include <deque>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "agent/targets.h"
#include "base/encoding.h"
#include "net/connector.h"
#include "net/loop.h"
#include "net/socket.h"
#include "net/tcp_transport.h"
#include "net/tls_transport.h"
#include "tunnel/tunnel.h"
#include "wire/concealed_auth.h"
#include "wire/control_message.h"
#include "wire/http1_parser.h"
#include "wire/http1_writer.h"
#include "wire/websocket_handshake.h"

namespace sallyport::test {

// Runs turns until `done` holds; false when that takes longer than anything here may.
inline bool run_until(Loop& loop, const std::function<bool()>& done,
                      std::chrono::seconds limit = std::chrono::seconds(20)) {
    const TimePoint end = Clock::now() + limit;
    while (!done()) {
        if (Clock::now() > end) return false;
        loop.turn(std::chrono::milliseconds(20));
    }
    return true;
}

class TemporaryFolder {
public:
    TemporaryFolder() {
        std::string name = (std::filesystem::temp_directory_path() / "sallyport-agent-XXXXXX").string();
        path_ = ::mkdtemp(name.data());
    }
    ~TemporaryFolder() { std::filesystem::remove_all(path_); }
    const std::filesystem::path& path() const { return path_; }

private:
    std::filesystem::path path_;
};

inline Target make_target(std::string name, const std::string& url) {
    Target target;
    target.name = std::move(name);
    target.url = *parse_target_url(url);
    return target;
}

// One connection of an origin: keeps what it receives, and does what the test says.
class OriginPeer final : public Transport::Owner {
public:
    OriginPeer(TransportPtr t, std::function<void(OriginPeer&)> on_octets)
        : transport(std::move(t)), on_octets_(std::move(on_octets)) {
        transport->set_owner(this);
    }
    void send(std::string_view text) { transport->send(as_octets(text)); }

    TransportPtr transport;
    std::string received;
    bool ended = false;
    bool cut = false;

private:
    void on_receive(MutableOctets octets) override {
        received += as_text(octets);
        if (on_octets_) on_octets_(*this);
    }
    void on_receive_end() override {
        ended = true;
        if (on_octets_) on_octets_(*this);
    }
    void on_send_ready() override {}
    void on_transport_error(const Error&) override { cut = true; }
    std::function<void(OriginPeer&)> on_octets_;
};

// Listens on 127.0.0.1, plain or with TLS. Peers are kept in order of arrival.
class LoopbackOrigin {
public:
    LoopbackOrigin(Loop& loop, std::function<void(OriginPeer&)> on_octets,
                   std::shared_ptr<const ServerTls> tls = nullptr)
        : loop_(loop), on_octets_(std::move(on_octets)), tls_(std::move(tls)) {
        auto listener = listen_tcp(*SocketAddress::parse("127.0.0.1", 0));
        port_ = SocketAddress::local_of(listener->get()).port();
        acceptor_.emplace(
            loop, std::move(*listener),
            [this](Descriptor connected, const SocketAddress&) { take(std::move(connected)); }, [](const Error&) {});
    }
    std::uint16_t port() const { return port_; }
    std::string url(std::string_view scheme) const {
        return std::string(scheme) + "://127.0.0.1:" + std::to_string(port_);
    }
    void stop() { acceptor_.reset(); }

    std::deque<std::unique_ptr<OriginPeer>> peers;

private:
    void take(Descriptor connected) {
        if (!tls_) {
            peers.push_back(
                std::make_unique<OriginPeer>(make_plain_transport(loop_, std::move(connected)), on_octets_));
            return;
        }
        shaking_.push_back(TlsTransport::make(loop_, std::move(connected), tls_->new_ssl()));
        TlsTransport* transport = shaking_.back().get();
        transport->on_handshake([this, transport](Result<> shaken) {
            auto place = std::ranges::find(shaking_, transport, &std::unique_ptr<TlsTransport>::get);
            auto owned = std::move(*place);
            shaking_.erase(place);
            if (shaken)
                peers.push_back(std::make_unique<OriginPeer>(std::move(owned), on_octets_));
            else
                loop_.dispose(std::move(owned));
        });
    }
    Loop& loop_;
    std::function<void(OriginPeer&)> on_octets_;
    std::shared_ptr<const ServerTls> tls_;
    std::uint16_t port_ = 0;
    std::vector<std::unique_ptr<TlsTransport>> shaking_;
    std::optional<Acceptor> acceptor_;
};

inline std::string http_answer(int status, std::string_view content) {
    return "HTTP/1.1 " + std::to_string(status) + " X\r\nContent-Length: " + std::to_string(content.size()) +
           "\r\n\r\n" + std::string(content);
}

// What a Home Assistant says to a probe; `trusts` is whether it takes X-Forwarded-For from us.
struct PretendedHomeAssistant {
    bool trusts = false;
    bool trusted_networks = false;
    void operator()(OriginPeer& peer) const {
        const auto end = peer.received.find("\r\n\r\n");
        if (end == std::string::npos) return;
        const std::string head = peer.received.substr(0, end + 4);
        peer.received.erase(0, end + 4);
        if (head.find("X-Forwarded-For:") != std::string::npos && !trusts)
            return peer.send(http_answer(400, "400: Bad Request"));
        if (head.starts_with("GET /manifest.json")) return peer.send(http_answer(200, R"({"name":"Home Assistant"})"));
        if (head.starts_with("GET /auth/providers")) {
            return peer.send(http_answer(200, trusted_networks ? R"([{"type":"trusted_networks","name":"T","id":null}])"
                                                               : R"([{"type":"homeassistant","name":"H","id":null}])"));
        }
        peer.send(http_answer(200, "hello from home"));
    }
};

// The relay's side of a tunnel: TLS with an identity, the opening handshake judged, then a Tunnel.
class LoopbackRelay final : private Tunnel::Owner, private Transport::Owner {
public:
    explicit LoopbackRelay(Loop& loop) : LoopbackRelay(loop, *make_self_signed(KeyType::ed25519, {"sallyport"})) {}
    // The process that takes the place of `before`.
    LoopbackRelay(Loop& loop, const LoopbackRelay& before) : LoopbackRelay(loop, before.identity_) {}
    LoopbackRelay(Loop& loop, Certificate identity) : loop_(loop), identity_(std::move(identity)) {
        const auto visitor = make_self_signed(KeyType::p256, {"127.0.0.1"});
        tls_ = *ServerTls::make({*visitor}, &identity_);
        auto listener = listen_tcp(*SocketAddress::parse("127.0.0.1", 0));
        port_ = SocketAddress::local_of(listener->get()).port();
        acceptor_.emplace(
            loop, std::move(*listener),
            [this](Descriptor connected, const SocketAddress&) { take(std::move(connected)); }, [](const Error&) {});
    }
    ~LoopbackRelay() { tunnel.reset(); }

    std::string url() const { return "wss://127.0.0.1:" + std::to_string(port_); }
    std::uint16_t port() const { return port_; }
    std::string pin() const { return *pin_of_certificate(identity_.chain_pem); }
    Result<> verify(const ConcealedProof& proof) {
        const ConcealedOrigin origin{"https", "127.0.0.1", port_};
        const std::string context =
            concealed_exporter_context(as_octets(proof.key_id), as_octets(proof.public_key), origin);
        const auto exported =
            last_tls_->export_keying_material(kConcealedExporterLabel, as_octets(context), kConcealedExporterOctets);
        return verify_concealed_proof(proof, as_octets(proof.public_key), as_octets(*exported));
    }

    std::string answer;                // instead of 101: sent as it stands
    std::function<void()> on_request;  // called with the request in `request`, before the answer
    RequestHead request;
    std::size_t connections = 0;
    std::unique_ptr<Tunnel> tunnel;
    std::string session;  // its id
    std::size_t sessions = 0;
    bool ready = false;
    bool closed = false;
    std::vector<std::string> control;
    TunnelSettings settings;
    bool confirms = true;  // answers hello with (no) routes

    void say(const ControlMessage& message) {
        std::string line = format_control_message(message);
        line.pop_back();
        tunnel->send_control(line);
    }

private:
    void take(Descriptor connected) {
        ++connections;
        auto transport = TlsTransport::make(loop_, std::move(connected), tls_->new_ssl());
        last_tls_ = transport.get();
        loop_.dispose(std::move(transport_));
        transport_ = std::move(transport);
        received_.clear();
        last_tls_->on_handshake([this](Result<> shaken) {
            if (shaken) transport_->set_owner(this);
        });
    }
    void on_receive(MutableOctets octets) override {
        received_ += as_text(octets);
        HeadReader reader;
        const auto size = reader.read_request(received_, request);
        if (!size) return;
        if (on_request) on_request();
        if (!answer.empty()) {
            transport_->send(as_octets(answer));
            transport_->close();
            return loop_.dispose(std::move(transport_));
        }
        const bool resumes = tunnel && request.fields.find("Sallyport-Session") == session;
        const std::string count{request.fields.find("Sallyport-Received").value_or("0")};
        if (!resumes) session = "s" + std::to_string(++sessions);
        ResponseHead head;
        fill_websocket_response(head, *check_websocket_request(request));
        head.fields.add("Sec-WebSocket-Protocol", "sallyport.1");
        head.fields.add("Sallyport-Session", session);
        head.fields.add("Sallyport-Received", std::to_string(resumes ? tunnel->freeze() : 0));
        std::string out;
        write_response_head(out, head, ConnectionOption::upgrade);
        transport_->send(as_octets(out));
        transport_->set_owner(nullptr);
        if (resumes) {
            EXPECT_TRUE(tunnel->resume(std::move(transport_), received_.substr(*size), std::stoull(count)));
            return;
        }
        ready = closed = false;
        if (tunnel) tunnel->close({Errc::reset, "the agent came anew"});
        tunnel =
            Tunnel::make(loop_, TunnelRole::relay, std::move(transport_), received_.substr(*size), settings, *this);
    }
    void on_receive_end() override { transport_->close(); }
    void on_send_ready() override {}
    void on_transport_error(const Error&) override {}

    void on_tunnel_ready() override { ready = true; }
    void on_tunnel_control(std::string_view line) override {
        control.emplace_back(line);
        const auto message = parse_control_message(line);
        if (confirms && message && std::holds_alternative<HelloMessage>(*message)) say(RoutesMessage{});
    }
    void on_tunnel_stream(OpenRequest, std::unique_ptr<IncomingStream>) override {}
    void on_tunnel_closed(const Error&) override {
        closed = true;
        loop_.dispose(std::move(tunnel));
    }

    Loop& loop_;
    Certificate identity_;
    std::shared_ptr<const ServerTls> tls_;
    std::uint16_t port_ = 0;
    std::optional<Acceptor> acceptor_;
    TransportPtr transport_;
    TlsTransport* last_tls_ = nullptr;
    std::string received_;
};

// A wire between an agent and what listens on a port of 127.0.0.1: carries octets until a connection is frozen, which then
// looks alive and carries nothing more.
class LoopbackWire {
public:
    LoopbackWire(Loop& loop, std::uint16_t to) : loop_(loop), to_(*SocketAddress::parse("127.0.0.1", to)) {
        auto listener = listen_tcp(*SocketAddress::parse("127.0.0.1", 0));
        port_ = SocketAddress::local_of(listener->get()).port();
        acceptor_.emplace(
            loop, std::move(*listener),
            [this](Descriptor connected, const SocketAddress&) { take(std::move(connected)); }, [](const Error&) {});
    }
    std::uint16_t port() const { return port_; }
    void lead_to(std::uint16_t port) { to_ = *SocketAddress::parse("127.0.0.1", port); }  // from the next connection on
    void freeze() {
        for (auto& end : ends_) end->transport->set_owner(nullptr);
    }

private:
    struct End final : Transport::Owner {
        explicit End(TransportPtr t) : transport(std::move(t)) { transport->set_owner(this); }
        void on_receive(MutableOctets octets) override {
            for (; !octets.empty(); octets = octets.subspan(std::min(octets.size(), Transport::kSendQuantum)))
                other->transport->send(octets.first(std::min(octets.size(), Transport::kSendQuantum)));
        }
        void on_receive_end() override { other->transport->close(); }
        void on_send_ready() override {}
        void on_transport_error(const Error&) override { other->transport->close(); }
        TransportPtr transport;
        End* other = nullptr;
    };
    void take(Descriptor connected) {
        Descriptor onward(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
        ASSERT_EQ(::connect(onward.get(), to_.data(), to_.size()), 0);
        ASSERT_EQ(::fcntl(onward.get(), F_SETFL, O_NONBLOCK), 0);
        auto& near = *ends_.emplace_back(std::make_unique<End>(make_plain_transport(loop_, std::move(connected))));
        auto& far = *ends_.emplace_back(std::make_unique<End>(make_plain_transport(loop_, std::move(onward))));
        near.other = &far;
        far.other = &near;
    }
    Loop& loop_;
    SocketAddress to_;
    std::uint16_t port_ = 0;
    std::deque<std::unique_ptr<End>> ends_;
    std::optional<Acceptor> acceptor_;
};

// The relay's end of a stream: sends what it is given and keeps what comes.
class VisitorStream final : public Stream::Owner {
public:
    Result<> open(Tunnel& tunnel, std::string target, std::string_view octets = {}) {
        to_send_ = octets;
        auto opened = tunnel.open({std::move(target), {}}, *this);
        if (!opened) return std::unexpected(opened.error());
        stream = std::move(*opened);
        if (!to_send_.empty()) stream->wake();
        return {};
    }
    void send(std::string_view octets) {
        to_send_ += octets;
        stream->wake();
    }
    void end() {
        end_ = true;
        stream->wake();
    }

    StreamPtr stream;
    std::string received;
    bool accepted = false;
    bool ended = false;
    bool reset = false;
    std::optional<Refusal> refusal;
    bool stalled = false;  // keeps credit to itself
    std::size_t unconsumed = 0;
    std::size_t unsent() const { return to_send_.size(); }

private:
    void on_stream_accepted() override { accepted = true; }
    void on_stream_refused(const Refusal& why) override { refusal = why; }
    void on_stream_octets(Octets octets) override {
        received += as_text(octets);
        if (stalled)
            unconsumed += octets.size();
        else
            stream->consumed(octets.size());
    }
    void on_stream_end() override { ended = true; }
    void on_stream_reset(const Error&) override { reset = true; }
    Stream::Pulled on_stream_pull(MutableOctets room) override {
        const std::size_t count = std::min(room.size(), to_send_.size());
        std::copy_n(as_octets(to_send_).begin(), count, room.begin());
        to_send_.erase(0, count);
        return {count, end_ && to_send_.empty()};
    }
    std::string to_send_;
    bool end_ = false;
};

}  // namespace sallyport::test
