// The whole edge over real sockets and TLS; only the agents' streams are fakes.
#include "edge/edge.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include "edge/edge_fakes.h"
#include "net/socket.h"
#include "net/tcp_transport.h"

namespace sallyport {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;
using testing::StartsWith;

struct Sink : Transport::Owner {
    void on_receive(MutableOctets octets) override { received += as_text(octets); }
    void on_receive_end() override { ended = true; }
    void on_send_ready() override {}
    void on_transport_error(const Error&) override { cut = true; }
    bool over() const { return ended || cut; }
    std::string received;
    bool ended = false;
    bool cut = false;
};

class EdgeTest : public testing::Test {
protected:
    void SetUp() override { open({}); }
    void TearDown() override {
        visitor.reset();
        edge.reset();
    }

    void open(EdgeSettings settings, std::shared_ptr<VisitorLimits> limits = {}) {
        edge = std::make_unique<Edge>(loop, origins, door, log, std::move(settings), std::move(limits));
        edge->set_routes(std::make_shared<RouteTable>(std::vector<Route>{FakeEdge::usual_route()}));
        const Certificate certificate = make_self_signed(KeyType::p256, {"home.example"}).value();
        pin = pin_of_certificate(certificate.chain_pem).value();
        edge->set_server_tls(ServerTls::make({certificate}, nullptr).value());
        Descriptor listener = listen_tcp(*SocketAddress::parse("127.0.0.1", 0)).value();
        address = SocketAddress::local_of(listener.get());
        edge->listen_https(std::move(listener), [this](std::string_view agent_id) {
            asked_for = agent_id;
            return home;
        });
    }
    Descriptor dial() {
        Descriptor socket = start_connect(address).value();
        return socket;
    }
    template <class Condition>
    void run_until(Condition done) {
        for (int turns = 0; !done() && turns < 5000; ++turns) loop.turn(10ms);
        ASSERT_TRUE(done());
    }
    // A visitor with TLS up, who names `server_name`.
    void visit(std::string server_name = "home.example") {
        sink = {};
        client_tls = ClientTls::make({.server_name = std::move(server_name), .pin = pin, .alpn = {"http/1.1"}}).value();
        auto tls = TlsTransport::make(loop, dial(), client_tls->new_ssl());
        bool up = false;
        tls->on_handshake([&](Result<> r) {
            EXPECT_TRUE(r) << r.error().detail;
            up = true;
        });
        tls->set_owner(&sink);
        visitor = std::move(tls);
        run_until([&] { return up; });
    }
    // The octets that a TLS client sends first.
    std::string client_hello() {
        const auto tls = ClientTls::make({.server_name = "home.example", .pin = pin}).value();
        const Ssl ssl = tls->new_ssl();
        SSL_set_bio(ssl.get(), BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
        SSL_do_handshake(ssl.get());
        std::string hello(4096, '\0');
        hello.resize(static_cast<std::size_t>(BIO_read(SSL_get_wbio(ssl.get()), hello.data(), 4096)));
        return hello;
    }
    std::uint64_t refused(HandshakeRefusal reason) { return edge->metrics().handshakes_refused[static_cast<std::size_t>(reason)].value(); }

    Loop loop;
    FakeOrigins origins;
    FakeDoor door;
    Log log{LogLevel::error, LogFormat::key_value};
    std::unique_ptr<Edge> edge;
    Edge* home = nullptr;
    std::string asked_for;
    std::string pin;
    SocketAddress address;
    std::shared_ptr<const ClientTls> client_tls;
    Sink sink;
    TransportPtr visitor;
};

constexpr std::string_view kGet = "GET / HTTP/1.1\r\nHost: home.example\r\n\r\n";

TEST_F(EdgeTest, ServesAVisitorOverTls) {
    visit();
    EXPECT_EQ(asked_for, "a1");
    visitor->send(as_octets(kGet));
    run_until([&] { return !origins.opened.empty(); });
    EXPECT_THAT(origins.opened[0]->received, StartsWith("GET / HTTP/1.1\r\n"));
    origins.opened[0]->say("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
    run_until([&] { return sink.received.ends_with("hello"); });
    EXPECT_EQ(edge->open_connections(), 1u);
    EXPECT_EQ(edge->metrics().open_connections.value(), 1u);
    visitor->close();
    run_until([&] { return edge->open_connections() == 0; });
    EXPECT_EQ(edge->metrics().open_connections.value(), 0u);
}

TEST_F(EdgeTest, CountsACloseNotifyAsGoneAndResetsTheStream) {
    visit();
    visitor->send(as_octets(kGet));
    run_until([&] { return !origins.opened.empty(); });
    visitor->close();
    run_until([&] { return origins.opened[0]->reset; });
}

TEST_F(EdgeTest, CarriesMuchBothWays) {
    visit();
    const std::string big(3'000'000, 'u');
    std::string request = "PUT / HTTP/1.1\r\nHost: home.example\r\nContent-Length: 3000000\r\n\r\n" + big;
    std::size_t sent = 0;
    run_until([&] {
        while (visitor->send_ready() && sent < request.size()) {
            const std::size_t count = std::min(request.size() - sent, Transport::kSendQuantum);
            visitor->send(as_octets(request).subspan(sent, count));
            sent += count;
        }
        return !origins.opened.empty() && origins.opened[0]->received.ends_with(std::string(1000, 'u')) &&
               origins.opened[0]->received.size() > big.size();
    });
    EXPECT_EQ(std::ranges::count(origins.opened[0]->received, 'u'), 3'000'000);
    origins.opened[0]->say("HTTP/1.1 200 OK\r\nContent-Length: 3000000\r\n\r\n");
    std::size_t given = 0;
    run_until([&] {
        const ByteCount in_flight = given + 42 - std::min<ByteCount>(given + 42, origins.opened[0]->consumed);
        if (given < big.size() && in_flight < 100'000) {
            origins.opened[0]->say(std::string(100'000, 'd'));
            given += 100'000;
        }
        return std::ranges::count(sink.received, 'd') == 3'000'000;
    });
}

TEST_F(EdgeTest, RefusesAHostOfAnotherAgentThanTheServerName) {
    std::vector<Route> routes{FakeEdge::usual_route(), FakeEdge::usual_route()};
    routes[1].id = "r2";
    routes[1].hostname = "other.example";
    routes[1].agent_id = "a2";
    edge->set_routes(std::make_shared<RouteTable>(std::move(routes)));
    visit("other.example");
    visitor->send(as_octets(kGet));
    run_until([&] { return sink.received.contains("HTTP/1.1 421"); });
    visit("localhost");  // leads nowhere: no claim
    visitor->send(as_octets(kGet));
    run_until([&] { return !origins.opened.empty(); });
}

TEST_F(EdgeTest, TakesAClientHelloCutAnywhere) {
    const std::string hello = client_hello();
    for (std::size_t cut = 1; cut < hello.size(); cut += 7) {
        const Descriptor socket = dial();
        run_until([&] { return edge->metrics().accepted.value() > 0 && edge->open_connections() == 1; });
        ::send(socket.get(), hello.data(), cut, MSG_NOSIGNAL);
        loop.turn(0ms);
        loop.turn(0ms);
        asked_for.clear();
        ::send(socket.get(), hello.data() + cut, hello.size() - cut, MSG_NOSIGNAL);
        char answer = 0;
        run_until([&] { return ::recv(socket.get(), &answer, 1, MSG_PEEK | MSG_DONTWAIT) == 1; });
        EXPECT_EQ(answer, 0x16) << cut;  // a handshake record
        EXPECT_EQ(asked_for, "a1");
        ::shutdown(socket.get(), SHUT_RDWR);
        run_until([&] { return edge->open_connections() == 0; });
    }
}

TEST_F(EdgeTest, TellsPlainHttpToUseHttps) {
    auto plain = make_plain_transport(loop, dial());
    plain->set_owner(&sink);
    plain->send(as_octets(kGet));
    run_until([&] { return sink.over(); });
    EXPECT_THAT(sink.received, StartsWith("HTTP/1.1 400"));
    EXPECT_THAT(sink.received, HasSubstr("https"));
    const std::size_t head_end = sink.received.find("\r\n\r\n") + 4;
    EXPECT_THAT(sink.received, HasSubstr("Content-Length: " + std::to_string(sink.received.size() - head_end) + "\r\n"));
    EXPECT_EQ(refused(HandshakeRefusal::plain_http), 1u);
}

TEST_F(EdgeTest, ClosesWhatIsNoClientHello) {
    struct Row {
        std::string octets;
        HandshakeRefusal reason;
    };
    const Row rows[] = {
        {"SSH-2.0-x\r\n", HandshakeRefusal::not_tls},
        {std::string("\x16\x03\x01\x00\x04\x02\x00\x00\x00", 9), HandshakeRefusal::malformed},
        {client_hello().substr(0, 50), HandshakeRefusal::gone},
    };
    for (const Row& row : rows) {
        Descriptor socket = dial();
        ::send(socket.get(), row.octets.data(), row.octets.size(), MSG_NOSIGNAL);
        if (row.reason == HandshakeRefusal::gone) ::shutdown(socket.get(), SHUT_WR);
        run_until([&] { return refused(row.reason) == 1; });
        EXPECT_EQ(edge->open_connections(), 0u);
    }
}

TEST_F(EdgeTest, GivesUpOnSlowClientHellosAndHandshakes) {
    EdgeSettings settings;
    settings.hello_deadline = settings.handshake_deadline = 30ms;
    open(settings);
    const Descriptor silent = dial();
    const Descriptor half = dial();
    const std::string hello = client_hello();
    run_until([&] { return edge->metrics().accepted.value() == 2; });
    ::send(half.get(), hello.data(), hello.size(), MSG_NOSIGNAL);
    run_until([&] { return refused(HandshakeRefusal::timeout) == 2; });
    EXPECT_EQ(edge->open_connections(), 0u);
}

TEST_F(EdgeTest, ServesAgentsOnlyAboveItsBoundAndNobodyAboveItsReserve) {
    VisitorBounds bounds;
    bounds.connections = 1;
    bounds.reserve = 1;
    open({}, VisitorLimits::make(bounds));
    visit();
    const TransportPtr first = std::move(visitor);
    visit();
    visitor->send(as_octets(kGet));
    run_until([&] { return sink.received.contains("HTTP/1.1 503"); });
    EXPECT_THAT(sink.received, HasSubstr("Retry-After: "));
    EXPECT_TRUE(origins.opened.empty());
    const Descriptor third = dial();
    run_until([&] { return refused(HandshakeRefusal::overload) == 1; });
    first->close();
    visitor->close();
    run_until([&] { return edge->open_connections() == 0; });
    visit();
    visitor->send(as_octets(kGet));
    run_until([&] { return !origins.opened.empty(); });
}

TEST_F(EdgeTest, CountsAConnectionUntilItIsOver) {
    auto limits = VisitorLimits::make({});
    open({}, limits);
    const Descriptor silent = dial();
    run_until([&] { return limits->handshakes() == 1; });
    visit();
    run_until([&] { return limits->handshakes() == 1 && limits->connections() == 2; });
    visitor->close();
    ::shutdown(silent.get(), SHUT_RDWR);
    run_until([&] { return limits->connections() == 0 && limits->handshakes() == 0; });
}

TEST_F(EdgeTest, CountsWhatAVisitorGivesUpAgainstItsAddress) {
    VisitorBounds bounds;
    bounds.address_reset_rate = 1;
    auto limits = VisitorLimits::make(bounds);
    open({}, limits);
    for (std::size_t i = 0; limits->refused(VisitorLimit::address_reset_rate) == 0; ++i) {
        ASSERT_LT(i, 1000u);
        const Descriptor probe = dial();
        run_until([&] { return limits->connections() == 1 || limits->refused(VisitorLimit::address_reset_rate) > 0; });
        if (limits->refused(VisitorLimit::address_reset_rate) > 0) break;
        ::shutdown(probe.get(), SHUT_RDWR);
        run_until([&] { return limits->connections() == 0; });
        visit();
        visitor->send(as_octets(kGet));
        const std::size_t asked = origins.opened.size();
        run_until([&] { return origins.opened.size() > asked; });
        visitor->abort();
        run_until([&] { return limits->connections() == 0; });
    }
}

TEST_F(EdgeTest, HandsAVisitorOverToTheAgentsEdge) {
    Edge second(loop, origins, door, log, {});
    second.set_routes(std::make_shared<RouteTable>(std::vector<Route>{FakeEdge::usual_route()}));
    second.set_server_tls(ServerTls::make({make_self_signed(KeyType::p256, {"second"}).value()}, nullptr).value());
    home = &second;
    client_tls = ClientTls::make({.server_name = "home.example", .pin = pin}).value();
    auto tls = TlsTransport::make(loop, dial(), client_tls->new_ssl());
    std::optional<Result<>> up;
    tls->on_handshake([&](Result<> r) { up = r; });
    run_until([&] { return up.has_value(); });
    EXPECT_FALSE(*up);  // it met the second edge's certificate
    EXPECT_EQ(edge->metrics().handed_over.value(), 1u);
    EXPECT_EQ(edge->open_connections(), 0u);
    run_until([&] { return second.open_connections() == 0; });
}

TEST_F(EdgeTest, DrainsIdleConnectionsAtOnceAndOthersWithTheirAnswer) {
    visit();
    visitor->send(as_octets(kGet));
    run_until([&] { return !origins.opened.empty(); });
    edge->drain(Edge::Drain::now);
    EXPECT_EQ(edge->open_connections(), 1u);
    origins.opened[0]->say("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
    run_until([&] { return sink.over(); });
    EXPECT_THAT(sink.received, HasSubstr("Connection: close\r\n"));
}

TEST_F(EdgeTest, ShakesNoHandsWithWhoHasLeft) {
    {
        const Descriptor socket = dial();
        const std::string hello = client_hello();
        ASSERT_EQ(::send(socket.get(), hello.data(), hello.size(), MSG_NOSIGNAL), static_cast<ssize_t>(hello.size()));
    }
    run_until([&] { return refused(HandshakeRefusal::gone) == 1; });
    EXPECT_EQ(edge->open_connections(), 0u);
    EXPECT_EQ(refused(HandshakeRefusal::tls_failed), 0u);
}

TEST_F(EdgeTest, ClosesWhoHasWaitedTooLongForTheirHandshakeToBegin) {
    open({.longest_wait = -1ms});
    const Descriptor socket = dial();
    const std::string hello = client_hello();
    ASSERT_EQ(::send(socket.get(), hello.data(), hello.size(), MSG_NOSIGNAL), static_cast<ssize_t>(hello.size()));
    run_until([&] { return refused(HandshakeRefusal::overload) == 1; });
    char answer = 0;
    EXPECT_EQ(::recv(socket.get(), &answer, 1, 0), 0) << "closed in order, without an answer";
}

TEST_F(EdgeTest, TakesConnectionsInBurstsAndServesAll) {
    std::vector<Descriptor> sockets;
    const std::string hello = client_hello();
    for (int i = 0; i < 300; ++i) {
        sockets.push_back(dial());
        run_until([&] { return ::send(sockets.back().get(), hello.data(), hello.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(hello.size()); });
        if (i % 2 == 0) sockets.back().reset();
    }
    for (int i = 1; i < 300; i += 2) {
        char answer = 0;
        run_until([&] { return ::recv(sockets[i].get(), &answer, 1, MSG_PEEK | MSG_DONTWAIT) == 1; });
        EXPECT_EQ(answer, 0x16);
    }
}

// As clients' pools do: they look at a connection when they need it.
TEST_F(EdgeTest, DoesntWaitForAVisitorWhoKeepsADrainedConnectionOpen) {
    open({.linger = 1h});
    visit();
    visitor->send(as_octets(kGet));
    run_until([&] { return !origins.opened.empty(); });
    origins.opened[0]->say("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
    run_until([&] { return sink.received.ends_with("hello"); });
    edge->drain(Edge::Drain::now);
    run_until([&] { return sink.ended; });
    run_until([&] { return edge->open_connections() == 0; });
}

TEST_F(EdgeTest, DoesntWaitForAVisitorWhoWasAnsweredAndStaysWhenItDrains) {
    open({.linger = 1h});
    visit();
    visitor->send(as_octets("GET / HTTP/1.1\r\nHost: home.example\r\nConnection: close\r\n\r\n"));
    run_until([&] { return !origins.opened.empty(); });
    origins.opened[0]->say("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
    run_until([&] { return sink.ended; });
    EXPECT_EQ(edge->open_connections(), 1u);
    edge->drain(Edge::Drain::now);
    run_until([&] { return edge->open_connections() == 0; });
}

TEST_F(EdgeTest, AnswersOneMoreRequestOfAnIdleConnectionWhileItDrainsGently) {
    visit();
    edge->drain(Edge::Drain::gently);
    loop.turn(10ms);
    EXPECT_EQ(edge->open_connections(), 1u);
    visitor->send(as_octets(kGet));
    run_until([&] { return !origins.opened.empty(); });
    origins.opened[0]->say("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
    run_until([&] { return sink.over(); });
    EXPECT_THAT(sink.received, HasSubstr("Connection: close\r\n"));
    EXPECT_THAT(sink.received, HasSubstr("hello"));
}

TEST_F(EdgeTest, GoesOnWithWhatItAcceptedBeforeItDrainedGently) {
    const Descriptor socket = dial();
    run_until([&] { return edge->open_connections() == 1; });
    edge->drain(Edge::Drain::gently);
    const std::string hello = client_hello();
    ::send(socket.get(), hello.data(), hello.size(), MSG_NOSIGNAL);
    char answer = 0;
    run_until([&] { return ::recv(socket.get(), &answer, 1, MSG_PEEK | MSG_DONTWAIT) == 1; });
    EXPECT_EQ(answer, 0x16);  // a handshake record
}

TEST_F(EdgeTest, LeavesNothingBehindWhenItGoes) {
    visit();
    visitor->send(as_octets(kGet));
    run_until([&] { return !origins.opened.empty(); });
    edge.reset();
    EXPECT_TRUE(origins.opened[0]->reset);
    EXPECT_EQ(origins.in_use, 0u);
    run_until([&] { return sink.over(); });
}

// ---- The plain listener

class PlainEdgeTest : public EdgeTest {
protected:
    void open_plain(std::string_view trusted, EdgeSettings settings = {}, VisitorBounds bounds = {}) {
        settings.trusted_proxies = {*IpNetwork::parse(trusted)};
        open(std::move(settings), limits = VisitorLimits::make(std::move(bounds)));
        Descriptor listener = listen_tcp(*SocketAddress::parse("127.0.0.1", 0)).value();
        address = SocketAddress::local_of(listener.get());
        edge->listen_plain(std::move(listener));
    }
    TransportPtr connect(Sink& to) {
        auto transport = make_plain_transport(loop, dial());
        transport->set_owner(&to);
        loop.turn(10ms);
        return transport;
    }
    std::string request(std::string_view fields) { return "GET / HTTP/1.1\r\nHost: home.example\r\n" + std::string(fields) + "\r\n"; }
    void answer(std::size_t place) { origins.opened[place]->say("HTTP/1.1 204 No Content\r\n\r\n"); }
    std::shared_ptr<VisitorLimits> limits;
};

TEST_F(PlainEdgeTest, ClosesWhoIsNoTrustedProxy) {
    open_plain("192.0.2.1");
    const auto stranger = connect(sink);
    run_until([&] { return sink.over(); });
    EXPECT_EQ(refused(HandshakeRefusal::untrusted_proxy), 1u);
    EXPECT_EQ(limits->connections(), 0u);
}

TEST_F(PlainEdgeTest, KeepsStreamsOfOneVisitorFromTheNextOnTheSameConnection) {
    open_plain("127.0.0.1");
    const auto proxy = connect(sink);
    const auto ask = [&](std::string_view visitor_address) {
        sink.received.clear();
        for (const auto& origin : origins.opened) origin->received.clear();
        proxy->send(as_octets(request("X-Forwarded-For: " + std::string(visitor_address) + "\r\n")));
        run_until([&] { return !origins.opened.empty() && !origins.opened.back()->received.empty(); });
        answer(origins.opened.size() - 1);
        run_until([&] { return sink.received.ends_with("\r\n\r\n"); });
    };
    ask("192.0.2.1");
    ask("192.0.2.1");
    EXPECT_EQ(origins.opened.size(), 1u);
    EXPECT_THAT(origins.opened[0]->request.forwarded, StartsWith("for=192.0.2.1;proto=http"));
    ask("192.0.2.2");
    EXPECT_EQ(origins.opened.size(), 2u);
    EXPECT_THAT(origins.opened[1]->request.forwarded, StartsWith("for=192.0.2.2;proto=http"));
}

TEST_F(PlainEdgeTest, CountsRequestsForTheVisitorAndNothingForTheProxy) {
    open_plain("127.0.0.1", {}, {.address_connections = 1});
    Sink other_sink;
    Sink third_sink;
    const auto first = connect(sink);
    const auto second = connect(other_sink);
    const auto third = connect(third_sink);
    first->send(as_octets(request("X-Forwarded-For: 192.0.2.1\r\n")));
    run_until([&] { return origins.opened.size() == 1; });
    second->send(as_octets(request("X-Forwarded-For: 192.0.2.1\r\n")));
    run_until([&] { return other_sink.received.starts_with("HTTP/1.1 503"); });
    third->send(as_octets(request("X-Forwarded-For: 192.0.2.2\r\n")));
    run_until([&] { return origins.opened.size() == 2; });
    EXPECT_EQ(limits->refused(VisitorLimit::address_connections), 1u);
    answer(0);
    run_until([&] { return sink.received.starts_with("HTTP/1.1 204"); });
    other_sink.received.clear();
    second->send(as_octets(request("X-Forwarded-For: 192.0.2.1\r\n")));
    run_until([&] { return origins.opened.size() == 3; });
}

TEST_F(PlainEdgeTest, GivesAProxyHeaderItsTime) {
    EdgeSettings settings;
    settings.proxy_header_on_plain = true;
    settings.hello_deadline = 50ms;
    open_plain("127.0.0.1", settings);
    const auto proxy = connect(sink);
    proxy->send(as_octets("PROXY TCP4 192.0.2."));
    run_until([&] { return sink.over(); });
    EXPECT_EQ(refused(HandshakeRefusal::timeout), 1u);
    EXPECT_EQ(limits->connections(), 0u);
}

TEST_F(PlainEdgeTest, HoldsTheSourceOfAProxyHeaderToTheLimitsOfItsAddress) {
    EdgeSettings settings;
    settings.proxy_header_on_plain = true;
    open_plain("127.0.0.1", settings, {.address_connections = 1});
    Sink other_sink;
    const auto first = connect(sink);
    first->send(as_octets("PROXY TCP4 192.0.2.1 198.51.100.1 1 2\r\n" + request("")));
    run_until([&] { return origins.opened.size() == 1; });
    EXPECT_THAT(origins.opened[0]->request.forwarded, StartsWith("for=\"192.0.2.1:1\""));
    const auto second = connect(other_sink);
    second->send(as_octets("PROXY TCP4 192.0.2.1 198.51.100.1 2 2\r\n"));
    run_until([&] { return other_sink.over(); });
    EXPECT_EQ(refused(HandshakeRefusal::overload), 1u);
    EXPECT_EQ(limits->connections(), 1u);
}

}  // namespace
}  // namespace sallyport
