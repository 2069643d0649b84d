#include "edge/tcp_visitor.h"

#include <gtest/gtest.h>

#include "edge/edge_fakes.h"
#include "wire/proxy_header.h"

namespace sallyport {
namespace {

class TcpVisitorTest : public testing::Test, private TcpVisitor::Owner {
protected:
    void connect(TcpRoute route = {}) {
        route.id = "r1";
        route.listen = ":1883";
        route.agent_id = "a1";
        route.target = "mqtt";
        counters = &edge.context.metrics.tcp_route(route.id, route.listen);
        visitor = std::make_unique<TcpVisitor>(edge.context, std::make_shared<const TcpRoute>(std::move(route)), *counters, VisitorLimits::Visit(),
                                               static_cast<TcpVisitor::Owner&>(*this));
        visitor->start(std::make_unique<FakeTransport>(record));
        edge.turn();
    }
    void say(std::string octets) {
        record->owner->on_receive(std::as_writable_bytes(std::span(octets)));
        edge.turn();
    }
    FakeOrigin& origin() { return *edge.origins.opened.back(); }

    FakeEdge edge;
    std::shared_ptr<FakeTransport::Record> record = std::make_shared<FakeTransport::Record>();
    TcpRouteCounters* counters = nullptr;
    std::unique_ptr<TcpVisitor> visitor;
    int over = 0;

private:
    void on_tcp_visitor_over(TcpVisitor&) override {
        ++over;
        edge.loop.dispose(std::move(visitor));
    }
};

TEST_F(TcpVisitorTest, CarriesOctetsBothWaysAndHalfClose) {
    connect();
    EXPECT_EQ(origin().request.target, "mqtt");
    EXPECT_EQ(origin().request.forwarded, "for=\"192.0.2.7:4711\"");
    say("ping");
    EXPECT_EQ(origin().received, "ping");
    origin().say("pong");
    EXPECT_EQ(record->sent, "pong");
    record->owner->on_receive_end();
    edge.turn();
    EXPECT_TRUE(origin().visitor_ended);
    origin().say("bye");
    origin().end();
    edge.turn();
    EXPECT_EQ(record->sent, "pongbye");
    EXPECT_TRUE(record->closed && !record->aborted);
    EXPECT_EQ(over, 1);
    EXPECT_EQ(counters->open.value(), 0u);
    EXPECT_EQ(counters->octets_in.value(), 4u);
    EXPECT_EQ(counters->octets_out.value(), 7u);
    EXPECT_EQ(counters->failed.value(), 0u);
}

TEST_F(TcpVisitorTest, TellsTheTargetWhoTheVisitorIs) {
    TcpRoute route;
    route.proxy_protocol = true;
    connect(std::move(route));
    say("hello");
    const auto header = parse_proxy_header(as_octets(origin().received));
    ASSERT_TRUE(header && header->connection);
    EXPECT_EQ(header->connection->source, (ProxyEndpoint{"192.0.2.7", 4711}));
    EXPECT_EQ(origin().received.substr(header->size), "hello");
}

TEST_F(TcpVisitorTest, WaitsForTheAgentAndReceivesNothingMeanwhile) {
    const auto view = std::exchange(edge.origins.view, nullptr);
    connect();
    EXPECT_EQ(edge.origins.waits, 1);
    EXPECT_EQ(record->owner, nullptr);
    edge.origins.view = view;
    edge.origins.on_online(true);
    say("hello");
    EXPECT_EQ(origin().received, "hello");
}

TEST_F(TcpVisitorTest, ResetsWhenTheAgentDoesNotCome) {
    edge.origins.view = nullptr;
    connect();
    edge.origins.on_online(false);
    EXPECT_TRUE(record->aborted);
    EXPECT_EQ(over, 1);
    EXPECT_EQ(counters->failed.value(), 1u);
}

TEST_F(TcpVisitorTest, ResetsWhenTheTargetRefuses) {
    connect();
    origin().refuse({502, "connection_refused", "port 1883"});
    edge.turn();
    EXPECT_TRUE(record->aborted);
    EXPECT_EQ(over, 1);
    EXPECT_EQ(counters->failed.value(), 1u);
}

TEST_F(TcpVisitorTest, PassesResetsOn) {
    connect();
    origin().cut();
    edge.turn();
    EXPECT_TRUE(record->aborted);
    EXPECT_EQ(over, 1);
}

TEST_F(TcpVisitorTest, ResetsTheStreamWhenTheVisitorIsCutOff) {
    connect();
    std::exchange(record->owner, nullptr)->on_transport_error({Errc::reset, "gone"});
    edge.turn();
    EXPECT_TRUE(origin().reset);
    EXPECT_EQ(over, 1);
}

TEST_F(TcpVisitorTest, PausesAVisitorWhoseTargetIsSlow) {
    edge.origins.first_room = 3;
    connect();
    say("abcdef");
    EXPECT_EQ(origin().received, "abc");
    EXPECT_TRUE(record->paused);
    origin().room = 100;
    origin().pull();
    EXPECT_EQ(origin().received, "abcdef");
    EXPECT_FALSE(record->paused);
}

}  // namespace
}  // namespace sallyport
