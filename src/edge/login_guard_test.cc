#include "edge/login_guard.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "edge/edge_fakes.h"

namespace sallyport {
namespace {

using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

constexpr std::string_view kFailed = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 40\r\n\r\n{\"errors\": {\"base\": \"invalid_auth\"    }}";
constexpr std::string_view kDone = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 24\r\n\r\n{\"type\":\"create_entry\"}\n";
constexpr std::string_view kLogin =
    "POST /auth/login_flow/1 HTTP/1.1\r\nHost: home.example\r\nAccept-Encoding: gzip\r\nAccept: application/json\r\nContent-Length: 2\r\n\r\n{}";
constexpr std::string_view kGet = "GET / HTTP/1.1\r\nHost: home.example\r\nAccept-Encoding: gzip\r\n\r\n";
constexpr std::string_view kSwitched =
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";

std::string websocket(std::string_view path) {
    return "GET " + std::string(path) +
           " HTTP/1.1\r\nHost: home.example\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
           "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
}

// The shield bans at the second failure, and slows nothing before.
class LoginGuardTest : public ::testing::Test {
protected:
    LoginGuardTest() { open(RoutePolicy::Preset::home_assistant); }
    void open(RoutePolicy::Preset preset) {
        edge = std::make_unique<FakeEdge>();
        edge->context.shield = &shield;
        Route route = FakeEdge::usual_route();
        RoutePolicy policy;
        policy.preset = preset;
        route.policy = std::make_shared<const RoutePolicy>(std::move(policy));
        edge->set_routes({route});
        edge->connect();
    }
    void again() {
        if (edge->connection) edge->leave();
        edge->connect();
    }
    FakeOrigin& origin() { return edge->origin(); }
    std::uint64_t failures() const { return shield.failures(BanKind::login) + shield.failures(BanKind::websocket); }
    std::size_t bans() const { return shield.bans(Clock::now()); }

    BanShield shield{BanBounds{.after = 2}};
    std::unique_ptr<FakeEdge> edge;
};

TEST_F(LoginGuardTest, RefusesLoginsAndWebSocketsAfterFailedOnes) {
    for (int i = 0; i < 2; ++i) {
        edge->say(kLogin);
        EXPECT_THAT(origin().received, Not(HasSubstr("Accept-Encoding")));
        origin().say(kFailed);
        EXPECT_THAT(edge->heard(), HasSubstr("invalid_auth"));
    }
    EXPECT_EQ(bans(), 1u);
    edge->say(kLogin);
    const std::string heard = edge->heard();
    EXPECT_THAT(heard, StartsWith("HTTP/1.1 429"));
    EXPECT_THAT(heard, HasSubstr("Retry-After: 60\r\n"));
    EXPECT_EQ(edge->origins.in_use, 0u);
    again();
    edge->say(websocket("/api/other"));
    EXPECT_THAT(edge->heard(), StartsWith("HTTP/1.1 429"));
    again();
    edge->say(kGet);
    EXPECT_THAT(origin().received, HasSubstr("Accept-Encoding: gzip"));
    EXPECT_EQ(edge->context.metrics.policy_refused[static_cast<std::size_t>(PolicyRefusal::banned)].value(), 2u);
}

TEST_F(LoginGuardTest, ASuccessForgets) {
    for (const std::string_view answer : {kFailed, kDone, kFailed, kDone}) {
        edge->say(kLogin);
        origin().say(answer);
        EXPECT_THAT(edge->heard(), StartsWith("HTTP/1.1 200"));
    }
    EXPECT_EQ(failures(), 2u);
    EXPECT_EQ(bans(), 0u);
}

TEST_F(LoginGuardTest, NotWaitingForTheAnswerIsNoWayAround) {
    edge->say(kLogin);
    edge->leave();
    EXPECT_EQ(failures(), 1u);
    edge->connect();
    edge->say(kLogin);
    origin().say(kFailed.substr(0, 90));
    edge->leave();
    EXPECT_EQ(failures(), 2u);
}

TEST_F(LoginGuardTest, WhatAHomeDoesWrongIsNotHeldAgainstVisitors) {
    edge->say(kLogin);
    origin().cut(Errc::unreachable);
    EXPECT_THAT(edge->heard(), StartsWith("HTTP/1.1 502"));
    again();
    edge->say("POST /auth/token HTTP/1.1\r\nHost: home.example\r\nContent-Length: 2\r\n\r\n{}");
    edge->leave();
    EXPECT_EQ(failures(), 0u) << "phones lose their network";
    EXPECT_EQ(shield.entries(), 0u);
}

TEST_F(LoginGuardTest, JudgesWebSocketsByWhoEndsThem) {
    struct Row {
        std::string_view path;
        std::size_t octets;
        bool by_origin;
        std::uint64_t failures;
    };
    const Row rows[] = {
        {"/api/websocket", 100, false, 0}, {"/api/websocket", 1024, true, 0}, {"/api/hassio_ingress/x/ws", 100, true, 0}, {"/api/websocket", 100, true, 1}};
    for (const Row& row : rows) {
        again();
        edge->say(websocket(row.path));
        origin().say(kSwitched);
        origin().say(std::string(row.octets, 'x'));
        if (!row.by_origin) edge->end();
        origin().end();
        edge->turn();
        EXPECT_EQ(failures(), row.failures) << row.path << row.octets;
    }
}

TEST_F(LoginGuardTest, LooksAtNothingWithoutAPreset) {
    open(RoutePolicy::Preset::none);
    for (int i = 0; i < 3; ++i) {
        edge->say(kLogin);
        EXPECT_THAT(origin().received, HasSubstr("Accept-Encoding"));
        origin().say(kFailed);
        EXPECT_THAT(edge->heard(), StartsWith("HTTP/1.1 200"));
    }
    EXPECT_EQ(failures(), 0u);
}

TEST_F(LoginGuardTest, CountsUnknownHosts) {
    for (const std::string_view host : {"a.example", "a.example", "b.example"}) edge->say("GET / HTTP/1.1\r\nHost: " + std::string(host) + "\r\n\r\n");
    EXPECT_EQ(shield.failures(BanKind::unknown_host), 2u);
    EXPECT_EQ(bans(), 1u);
    edge->heard();
    edge->say(kLogin);
    EXPECT_THAT(edge->heard(), StartsWith("HTTP/1.1 429"));
}

}  // namespace
}  // namespace sallyport
