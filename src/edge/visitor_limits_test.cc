#include "edge/visitor_limits.h"

#include <gtest/gtest.h>

#include <random>

namespace sallyport {
namespace {

using namespace std::chrono_literals;
using Kind = VisitorLimits::Kind;
using Visit = VisitorLimits::Visit;

SocketAddress from(const std::string& ip) { return *SocketAddress::parse(ip, 4711); }

class VisitorLimitsTest : public testing::Test {
protected:
    void open(VisitorBounds bounds) { limits = VisitorLimits::make(std::move(bounds)); }
    // "" or the limit that was reached; keeps the visit.
    std::string_view come(const std::string& ip, Kind kind = Kind::tls) {
        auto visit = limits->admit(from(ip), kind, now);
        if (!visit) return name_of(visit.error());
        visits.push_back(std::move(*visit));
        return "";
    }
    TimePoint now = Clock::now();
    std::shared_ptr<VisitorLimits> limits;
    std::vector<Visit> visits;
};

TEST_F(VisitorLimitsTest, TheDefaultsLeaveAHouseholdAlone) {
    open({});
    for (int i = 0; i < 500; ++i) EXPECT_EQ(come("192.0.2.1"), "");
    EXPECT_EQ(limits->connections(), 500u);
    EXPECT_EQ(limits->handshakes(), 500u);
    visits.clear();
    EXPECT_EQ(limits->connections(), 0u);
    EXPECT_EQ(limits->handshakes(), 0u);
}

TEST_F(VisitorLimitsTest, CountsByIpv4AddressAndByIpv6Network) {
    VisitorBounds bounds;
    bounds.address_connections = 1;
    open(bounds);
    EXPECT_EQ(come("2001:db8::1"), "");
    EXPECT_EQ(come("2001:db8::ffff"), "address_connections");
    EXPECT_EQ(limits->last_refused(VisitorLimit::address_connections), "2001:db8::/64");
    EXPECT_EQ(come("2001:db8:0:1::1"), "");
    EXPECT_EQ(come("192.0.2.1"), "");
    EXPECT_EQ(come("::ffff:192.0.2.1"), "address_connections");
    EXPECT_EQ(limits->last_refused(VisitorLimit::address_connections), "192.0.2.1");
    EXPECT_EQ(come("192.0.2.2"), "");
    EXPECT_EQ(limits->refused(VisitorLimit::address_connections), 2u);
    visits.clear();
    EXPECT_EQ(come("192.0.2.1"), "");
}

TEST_F(VisitorLimitsTest, TellsWhichLimitIsReached) {
    struct Row {
        VisitorBounds bounds;
        std::string_view reached;
    };
    const Row rows[] = {
        {{.connections = 2, .reserve = 0}, "connections"},
        {{.handshakes = 2}, "handshakes"},
        {{.address_connections = 2}, "address_connections"},
        {{.address_handshakes = 2}, "address_handshakes"},
    };
    for (const Row& row : rows) {
        visits.clear();
        open(row.bounds);
        EXPECT_EQ(come("192.0.2.1"), "");
        EXPECT_EQ(come("192.0.2.1"), "");
        EXPECT_EQ(come("192.0.2.1"), row.reached);
        EXPECT_EQ(limits->connections(), 2u) << "a refused one doesn't count";
        visits.pop_back();
        EXPECT_EQ(come("192.0.2.1"), "") << row.reached;
    }
}

TEST_F(VisitorLimitsTest, AHandshakeCountsUntilItsEnd) {
    open({.handshakes = 1, .address_handshakes = 1});
    EXPECT_EQ(come("192.0.2.1"), "");
    EXPECT_EQ(come("192.0.2.1"), "address_handshakes");
    EXPECT_EQ(come("192.0.2.1", Kind::plain), "");
    EXPECT_EQ(come("192.0.2.2"), "handshakes");
    visits.front().end_handshake();
    visits.front().end_handshake();
    EXPECT_EQ(limits->handshakes(), 0u);
    EXPECT_EQ(come("192.0.2.2"), "");
}

TEST_F(VisitorLimitsTest, ARateLetsTenSecondsWorthComeAtOnce) {
    open({.address_connection_rate = 5});
    for (int i = 0; i < 50; ++i) EXPECT_EQ(come("192.0.2.1"), "");
    EXPECT_EQ(come("192.0.2.1"), "address_connection_rate");
    EXPECT_EQ(come("192.0.2.2"), "");
    now += 1s;
    for (int i = 0; i < 5; ++i) EXPECT_EQ(come("192.0.2.1"), "");
    EXPECT_EQ(come("192.0.2.1"), "address_connection_rate");
    visits.clear();
    open({.connection_rate = 5});
    for (int i = 0; i < 50; ++i) EXPECT_EQ(come("192.0.2." + std::to_string(i)), "");
    EXPECT_EQ(come("192.0.2.99"), "connection_rate");
}

TEST_F(VisitorLimitsTest, WhoResetsTooOftenWaits) {
    open({.address_reset_rate = 5});
    EXPECT_EQ(come("192.0.2.1"), "");
    int allowed = 0;
    while (visits.front().note_reset(now)) ++allowed;
    EXPECT_EQ(allowed, 50);
    EXPECT_EQ(come("192.0.2.1"), "address_reset_rate");
    EXPECT_EQ(come("192.0.2.2"), "");
    for (int i = 0; i < 100'000; ++i) visits.front().note_reset(now);
    now += VisitorLimits::kBucket + 1s;
    EXPECT_EQ(come("192.0.2.1"), "") << "never for longer than a bucket";
}

TEST_F(VisitorLimitsTest, TheReserveIsMarked) {
    open({.connections = 1, .reserve = 1});
    EXPECT_EQ(come("192.0.2.1"), "");
    EXPECT_EQ(come("192.0.2.2"), "");
    EXPECT_FALSE(visits[0].in_reserve());
    EXPECT_TRUE(visits[1].in_reserve());
    EXPECT_EQ(come("192.0.2.3"), "connections");
}

TEST_F(VisitorLimitsTest, ExemptAddressesCountInAllOnly) {
    VisitorBounds bounds{.connections = 3, .reserve = 0, .address_connections = 1, .address_reset_rate = 1};
    bounds.exempt = {*IpNetwork::parse("192.0.2.0/24")};
    open(bounds);
    for (int i = 0; i < 3; ++i) EXPECT_EQ(come("192.0.2.1"), "");
    for (int i = 0; i < 100; ++i) EXPECT_TRUE(visits[0].note_reset(now));
    EXPECT_EQ(limits->addresses(), 0u);
    EXPECT_EQ(come("192.0.2.1"), "connections");
}

TEST_F(VisitorLimitsTest, NewBoundsHoldForWhatComesNext) {
    open({});
    for (int i = 0; i < 10; ++i) EXPECT_EQ(come("192.0.2.1"), "");
    limits->set_bounds({.address_connections = 5});
    EXPECT_EQ(come("192.0.2.1"), "address_connections");
    limits->set_bounds({});
    EXPECT_EQ(come("192.0.2.1"), "");
}

TEST_F(VisitorLimitsTest, AFloodOfAddressesLeavesNothingBehind) {
    open({.connections = 1'000'000, .connection_rate = 1'000'000});
    EXPECT_EQ(come("192.0.2.1"), "");
    std::mt19937 random(1);
    for (int i = 0; i < 300'000; ++i) {
        const std::string network = "2001:db8:" + std::to_string(random() % 9999) + ":" + std::to_string(random() % 9999) + "::1";
        (void)limits->admit(from(network), Kind::tls, now);
        now += 1us;
    }
    EXPECT_LE(limits->addresses(), 2 * VisitorLimits::kMostIdle + 64 * 64);
    EXPECT_EQ(limits->connections(), 1u);
    now += 1min;
    for (int i = 0; i < 100'000; ++i) (void)limits->admit(from("2001:db8::1"), Kind::tls, now += 11ms);
    visits.clear();
    EXPECT_EQ(limits->connections(), 0u);
}

TEST_F(VisitorLimitsTest, AVisitMayOutliveEverybodyElse) {
    open({});
    EXPECT_EQ(come("192.0.2.1"), "");
    limits.reset();
    Visit moved = std::move(visits[0]);
    moved = Visit{};
}

}  // namespace
}  // namespace sallyport
