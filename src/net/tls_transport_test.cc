#include "net/tls_transport.h"

#include <gtest/gtest.h>
#include <sys/socket.h>

#include <array>

#include "base/random.h"
#include "net/socket.h"
#include "net/tcp_transport.h"

namespace sallyport {
namespace {

using namespace std::chrono_literals;

// Collects what comes; answers nothing by itself.
struct Sink : Transport::Owner {
    void on_receive(MutableOctets octets) override { received += as_text(octets); }
    void on_receive_end() override { ended = true; }
    void on_send_ready() override { ready = true; }
    void on_transport_error(const Error& e) override { error = e; }
    std::string received;
    bool ended = false, ready = false;
    std::optional<Error> error;
};

std::pair<Descriptor, Descriptor> connected_pair() {
    std::array<int, 2> ends;
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends.data()), 0);
    return {Descriptor(ends[0]), Descriptor(ends[1])};
}

template <class Condition>
void run_until(Loop& loop, Condition done) {
    for (int turns = 0; !done() && turns < 100'000; ++turns) loop.turn(1s);
    ASSERT_TRUE(done());
}

class TlsTransportTest : public testing::Test {
protected:
    void connect(TrustPolicy policy, KeyType type = KeyType::p256) {
        certificate_ = make_self_signed(type, {"home.example.org"}).value();
        identity_ = make_self_signed(KeyType::ed25519, {"relay"}).value();
        server_tls_ = ServerTls::make({certificate_}, &identity_).value();
        if (policy.pin == "certificate") policy.pin = pin_of_certificate(certificate_.chain_pem).value();
        if (policy.pin == "identity") policy.pin = pin_of_certificate(identity_.chain_pem).value();
        auto client_tls = ClientTls::make(policy).value();
        auto [a, b] = connected_pair();
        server_ = TlsTransport::make(loop_, std::move(a), server_tls_->new_ssl());
        client_ = TlsTransport::make(loop_, std::move(b), client_tls->new_ssl());
        server_->on_handshake([this](Result<> r) { server_result_ = r; server_->set_owner(&server_sink_); });
        client_->on_handshake([this](Result<> r) { client_result_ = r; client_->set_owner(&client_sink_); });
        server_tls_.reset();  // a reload during the handshake must not matter
        client_tls.reset();
        run_until(loop_, [this] { return server_result_ && client_result_; });
    }

    Loop loop_;
    Certificate certificate_, identity_;
    std::shared_ptr<const ServerTls> server_tls_;
    Sink server_sink_, client_sink_;
    std::unique_ptr<TlsTransport> server_, client_;
    std::optional<Result<>> server_result_, client_result_;
};

}  // namespace

TEST_F(TlsTransportTest, CarriesOctetsBothWaysAndEndsInOrder) {
    connect({.server_name = "home.example.org", .pin = "certificate", .alpn = {"http/1.1"}});
    ASSERT_TRUE(*client_result_) << client_result_->error().detail;
    EXPECT_EQ(server_->alpn(), "http/1.1");
    EXPECT_EQ(server_->server_name(), "home.example.org");
    client_->send(as_octets("hello "), as_octets("world"));
    server_->send(as_octets("back"));
    run_until(loop_, [this] { return server_sink_.received.size() == 11 && client_sink_.received.size() == 4; });
    EXPECT_EQ(server_sink_.received, "hello world");
    client_->end_send();
    run_until(loop_, [this] { return server_sink_.ended; });
    server_->send(as_octets("late"));  // the other direction goes on
    run_until(loop_, [this] { return client_sink_.received == "backlate"; });
    EXPECT_FALSE(server_sink_.error);
}

TEST_F(TlsTransportTest, ALargeSendWaitsForASlowReaderAndNothingIsLost) {
    connect({.server_name = "home.example.org", .pin = "certificate"});
    const std::string octets = random_octets(3'000'000);
    server_->pause_receive();
    std::size_t sent = 0;
    const auto send_some = [&] {
        while (sent < octets.size() && client_->send_ready()) {
            const auto piece = std::string_view(octets).substr(sent, 50'000);
            client_->send(as_octets(piece.substr(0, 7)), as_octets(piece.substr(7)));
            sent += piece.size();
        }
    };
    send_some();
    EXPECT_LT(sent, octets.size());
    loop_.turn(0ms);
    EXPECT_EQ(server_sink_.received, "");
    server_->resume_receive();
    run_until(loop_, [&] {
        if (client_sink_.ready) send_some();
        return server_sink_.received.size() == octets.size();
    });
    EXPECT_EQ(server_sink_.received, octets);
}

TEST_F(TlsTransportTest, TheIdentityAnswersItsAlpnWhateverTheVisitorCertificateIs) {
    connect({.server_name = "anything.example", .pin = "identity", .alpn = {"sallyport/1", "http/1.1"}});
    ASSERT_TRUE(*client_result_) << client_result_->error().detail;
    EXPECT_EQ(client_->alpn(), "sallyport/1");
    EXPECT_EQ(client_->peer_pin(), pin_of_certificate(identity_.chain_pem).value());
    const auto a = client_->export_keying_material("EXPORTER-test", as_octets("context"), 48);
    EXPECT_EQ(a.value(), server_->export_keying_material("EXPORTER-test", as_octets("context"), 48).value());
}

TEST_F(TlsTransportTest, AWrongPinOrAnUnknownAuthorityIsRefused) {
    connect({.server_name = "home.example.org", .pin = "wrong"});
    EXPECT_EQ(client_result_->error().code, Errc::tls);
    EXPECT_FALSE(*server_result_);
    server_result_.reset(), client_result_.reset();
    connect({.server_name = "home.example.org"});
    EXPECT_EQ(client_result_->error().code, Errc::tls);
    EXPECT_NE(client_result_->error().detail.find("self-signed"), std::string::npos) << client_result_->error().detail;
}

TEST_F(TlsTransportTest, ACutIsAnErrorAndNeverAnOrderlyEnd) {
    connect({.server_name = "home.example.org", .pin = "certificate"});
    client_->abort();
    run_until(loop_, [this] { return server_sink_.error.has_value(); });
    EXPECT_FALSE(server_sink_.ended);
}

TEST_F(TlsTransportTest, MovesToAnotherLoopWithNothingLost) {
    connect({.server_name = "home.example.org", .pin = "certificate"});
    client_->send(as_octets("before "));
    auto parked = server_->park();
    Loop other;
    auto moved = TlsTransport::unpark(other, std::move(parked));
    moved->set_owner(&server_sink_);
    client_->send(as_octets("after"));
    run_until(other, [this] { return server_sink_.received == "before after"; });
    moved->send(as_octets("hi"));
    run_until(loop_, [this] { return client_sink_.received == "hi"; });
}

TEST(PlainTransport, TellsOfAResetWhileReceivingIsPaused) {
    Loop loop;
    Sink sink;
    const auto listener = listen_tcp(SocketAddress::parse("127.0.0.1", 0).value()).value();
    auto client = start_connect(SocketAddress::local_of(listener.get())).value();
    Descriptor accepted(::accept(listener.get(), nullptr, nullptr));
    auto transport = make_plain_transport(loop, std::move(accepted), "first ");
    transport->set_owner(&sink);
    loop.turn(0ms);
    EXPECT_EQ(sink.received, "first ");
    transport->pause_receive();
    make_plain_transport(loop, std::move(client))->abort();
    run_until(loop, [&] { return sink.error.has_value(); });
    EXPECT_EQ(sink.error->code, Errc::reset);
}

}  // namespace sallyport
