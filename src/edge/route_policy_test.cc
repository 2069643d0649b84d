// Policies at work: a visitor's connection, an origin, and what the route says in between.
#include "edge/route_policy.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/encoding.h"
#include "edge/edge_fakes.h"
#include "edge/proxy_exchange.h"
#include "edge/route_policy_json.h"

namespace sallyport {
namespace {

using testing::EndsWith;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::StartsWith;

// Of "U*U".
constexpr std::string_view kUsers = R"("basic_auth": {"anna": "$2b$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW"})";
constexpr std::string_view kHello = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nServer: s\r\n\r\nhello";

class RoutePolicyTest : public testing::Test {
protected:
    void open(const std::string& policy, Route route = FakeEdge::usual_route()) {
        const auto read = read_route_policy(boost::json::parse(policy).as_object());
        ASSERT_TRUE(read) << read.error().detail;
        route.policy = *read;
        edge = std::make_unique<FakeEdge>();
        edge->context.passwords = &passwords;
        edge->set_routes({std::move(route)});
        edge->connect();
    }
    std::string ask(std::string_view path, std::string_view fields = "") {
        edge->say("GET " + std::string(path) + " HTTP/1.1\r\nHost: home.example\r\n" + std::string(fields) + "\r\n");
        return edge->heard();
    }
    static std::string basic(std::string_view pair) { return "Authorization: Basic " + to_base64(as_octets(pair)) + "\r\n"; }
    // Asks, and goes on until there is an answer or the origin is asked.
    std::string ask_slowly(std::string_view path, std::string_view fields) {
        const std::size_t before = requests();
        edge->say("GET " + std::string(path) + " HTTP/1.1\r\nHost: home.example\r\n" + std::string(fields) + "\r\n");
        for (int i = 0; i < 3000 && edge->record->sent.empty() && requests() == before; ++i) edge->loop.turn(std::chrono::milliseconds(10));
        return edge->heard();
    }
    std::size_t requests() const {
        std::size_t octets = 0;
        for (const auto& origin : edge->origins.opened) octets += origin->received.size();
        return octets;
    }
    std::uint64_t refused(PolicyRefusal reason) { return edge->context.metrics.policy_refused[static_cast<std::size_t>(reason)].value(); }

    PasswordChecker passwords;
    std::unique_ptr<FakeEdge> edge;
};

TEST_F(RoutePolicyTest, RefusesAddresses) {
    open(R"({"deny_ips": ["192.0.2.7"]})");  // the fake visitor's
    EXPECT_THAT(ask("/"), StartsWith("HTTP/1.1 403 "));
    EXPECT_EQ(refused(PolicyRefusal::address), 1u);
    open(R"({"allow_ips": ["198.51.100.0/24", "::/0"]})");
    EXPECT_THAT(ask("/"), StartsWith("HTTP/1.1 403 "));
    EXPECT_THAT(edge->origins.opened, IsEmpty());
    open(R"({"allow_ips": ["192.0.2.0/24"], "deny_ips": ["192.0.2.8"]})");
    ask("/");
    EXPECT_EQ(edge->origins.opened.size(), 1u);
}

TEST_F(RoutePolicyTest, ShowsItsMaintenancePage) {
    open(R"({"maintenance": true, "maintenance_text": "Back at <noon>.", "maintenance_retry_after": "1h"})");
    const std::string answer = ask("/");
    EXPECT_THAT(answer, StartsWith("HTTP/1.1 503 "));
    EXPECT_THAT(answer, HasSubstr("Retry-After: 3600\r\n"));
    EXPECT_THAT(answer, HasSubstr("Back at &lt;noon&gt;."));
    EXPECT_THAT(edge->origins.opened, IsEmpty());
    EXPECT_EQ(edge->origins.in_use, 0u);
}

TEST_F(RoutePolicyTest, ServesNothingByAPolicyItCantRead) {
    Route route = FakeEdge::usual_route();
    open("{}", route);
    route.policy = load_route_policy("nonsense");
    edge->set_routes({route});
    EXPECT_THAT(ask("/"), StartsWith("HTTP/1.1 503 "));
}

TEST_F(RoutePolicyTest, JudgesThePathThatTheOriginSees) {
    Route route = FakeEdge::usual_route();
    route.path_prefix = "/cam";
    route.strip_prefix = true;
    open(R"({"deny_paths": ["/admin"]})", route);
    EXPECT_THAT(ask("/cam/admin"), StartsWith("HTTP/1.1 403 "));
    EXPECT_THAT(ask("/cam/%61dmin?x"), StartsWith("HTTP/1.1 403 "));
    EXPECT_THAT(ask("/cam//admin"), StartsWith("HTTP/1.1 400 "));
    EXPECT_THAT(ask("/cam/x/../admin"), StartsWith("HTTP/1.1 400 "));
    EXPECT_THAT(edge->origins.opened, IsEmpty());
    ask("/cam/live?/admin");
    EXPECT_THAT(edge->origin().received, StartsWith("GET /live?/admin HTTP/1.1\r\n"));
}

TEST_F(RoutePolicyTest, EditsFieldsBothWays) {
    open(R"({"set_request_fields": ["X-Tenant: a"], "remove_request_fields": ["X-Debug"], "set_response_fields": ["X-Frame-Options: DENY"],
            "remove_response_fields": ["Server"]})");
    edge->say("POST / HTTP/1.1\r\nHost: home.example\r\nx-tenant: forged\r\nX-DEBUG: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX-Tenant: late\r\nX-Sum: 1\r\n\r\n");
    EXPECT_THAT(edge->origin().received, HasSubstr("X-Tenant: a\r\n"));
    EXPECT_THAT(edge->origin().received, Not(HasSubstr("forged")));
    EXPECT_THAT(edge->origin().received, Not(HasSubstr("X-DEBUG")));
    EXPECT_THAT(edge->origin().received, EndsWith("0\r\nX-Sum: 1\r\n\r\n"));
    edge->origin().say(kHello);
    const std::string answer = edge->heard();
    EXPECT_THAT(answer, HasSubstr("X-Frame-Options: DENY\r\n"));
    EXPECT_THAT(answer, Not(HasSubstr("Server:")));
}

TEST_F(RoutePolicyTest, RefusesAnnouncedContentThatIsTooLarge) {
    open(R"({"max_body": 5})");
    edge->say("PUT / HTTP/1.1\r\nHost: home.example\r\nContent-Length: 6\r\n\r\n");
    EXPECT_THAT(edge->heard(), StartsWith("HTTP/1.1 413 "));
    EXPECT_THAT(edge->origins.opened, IsEmpty());
    EXPECT_EQ(refused(PolicyRefusal::content), 1u);
    open(R"({"max_body": 5})");
    edge->say("PUT / HTTP/1.1\r\nHost: home.example\r\nContent-Length: 5\r\n\r\nhello");
    EXPECT_THAT(edge->origin().received, EndsWith("\r\n\r\nhello"));
}

TEST_F(RoutePolicyTest, CutsChunkedContentAtTheBoundHoweverItComes) {
    const std::string head = "PUT / HTTP/1.1\r\nHost: home.example\r\nTransfer-Encoding: chunked\r\n\r\n";
    const std::string fits = "3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n";
    const std::string over = "3\r\nabc\r\n3\r\ndef\r\n0\r\n\r\n";
    for (std::size_t cut = 0; cut <= over.size(); ++cut) {
        open(R"({"max_body": 5})");
        edge->say(head + over.substr(0, cut));
        edge->say(over.substr(cut));
        EXPECT_THAT(edge->heard(), StartsWith("HTTP/1.1 413 ")) << cut;
        EXPECT_THAT(edge->origin().received, Not(HasSubstr("def"))) << cut;
        EXPECT_THAT(edge->origin().received, Not(HasSubstr("0\r\n\r\n"))) << cut;
        EXPECT_TRUE(edge->origin().reset) << cut;
        EXPECT_EQ(refused(PolicyRefusal::content), 1u);
        if (cut > fits.size()) continue;
        open(R"({"max_body": 5})");
        edge->say(head + fits.substr(0, cut));
        edge->say(fits.substr(cut));
        EXPECT_THAT(edge->origin().received, EndsWith("0\r\n\r\n")) << cut;
        EXPECT_FALSE(edge->origin().reset) << cut;
    }
}

TEST_F(RoutePolicyTest, AsksForAPassword) {
    open("{" + std::string(kUsers) + "}");
    const std::string answer = ask("/");
    EXPECT_THAT(answer, StartsWith("HTTP/1.1 401 "));
    EXPECT_THAT(answer, HasSubstr("WWW-Authenticate: Basic realm=\"Sign in\", charset=\"UTF-8\"\r\n"));
    for (const std::string& fields : {std::string("Authorization: Bearer x\r\n"), std::string("Authorization: Basic\r\n"), std::string("Authorization: Basic !!\r\n"),
                                      std::string("Authorization: Basic eA==\r\n"), std::string("Authorization: Digest x\r\n"), basic("anna:U*U") + basic("anna:U*U"),
                                      basic("anna:" + std::string(512, 'x')), basic(std::string(256, 'a') + ":U*U")})
        EXPECT_THAT(ask("/", fields), StartsWith("HTTP/1.1 401 ")) << fields;
    EXPECT_EQ(refused(PolicyRefusal::no_password), 9u);
    EXPECT_THAT(edge->origins.opened, IsEmpty());
}

TEST_F(RoutePolicyTest, JudgesPasswordsOffTheLoopAndRemembersGoodOnes) {
    open("{" + std::string(kUsers) + "}");
    EXPECT_THAT(ask_slowly("/", basic("anna:wrong")), StartsWith("HTTP/1.1 401 "));
    EXPECT_THAT(ask_slowly("/", basic("bert:U*U")), StartsWith("HTTP/1.1 401 "));
    EXPECT_EQ(refused(PolicyRefusal::wrong_password), 2u);
    EXPECT_THAT(edge->origins.opened, IsEmpty());
    ask_slowly("/", basic("anna:U*U"));
    ASSERT_EQ(edge->origins.opened.size(), 1u);
    EXPECT_THAT(edge->origin().received, Not(HasSubstr("Authorization")));
    edge->origin().say(kHello);
    EXPECT_THAT(edge->heard(), EndsWith("hello"));
    // The second time there is nothing to wait for.
    edge->origin().received.clear();
    edge->say("GET /again HTTP/1.1\r\nHost: home.example\r\n" + basic("anna:U*U") + "\r\n");
    EXPECT_THAT(edge->origin().received, StartsWith("GET /again "));
}

TEST_F(RoutePolicyTest, ForgetsAVisitorThatLeavesBeforeTheVerdict) {
    open("{" + std::string(kUsers) + "}");
    edge->say("GET / HTTP/1.1\r\nHost: home.example\r\n" + basic("anna:U*U") + "\r\n");
    edge->leave();
    for (int i = 0; i < 50; ++i) edge->loop.turn(std::chrono::milliseconds(5));
    EXPECT_THAT(edge->origins.opened, IsEmpty());
}

TEST_F(RoutePolicyTest, LeavesBearerTokensToTheOriginWhereToldTo) {
    open("{" + std::string(kUsers) + R"(, "basic_auth_bearer": "pass"})");
    ask("/api/", "Authorization: Bearer abc.def\r\n");
    EXPECT_THAT(edge->origin().received, HasSubstr("Authorization: Bearer abc.def\r\n"));
    edge->origin().say(kHello);
    edge->heard();
    EXPECT_THAT(ask("/api/", "Authorization: Bearer x\r\nAuthorization: Basic eDp5\r\n"), StartsWith("HTTP/1.1 401 "));
    EXPECT_THAT(ask("/api/"), StartsWith("HTTP/1.1 401 "));
}

TEST_F(RoutePolicyTest, AsksForNoPasswordOnOpenPaths) {
    open("{" + std::string(kUsers) + R"(, "basic_auth_open_paths": ["/api/webhook"]})");
    for (const std::string_view path : {"/api/webhook/../states", "/api/webhook/%2e%2e/states", "/api/Webhook/x", "/api/webhooks", "/api/webhook;/x", "/"})
        EXPECT_THAT(ask(path), StartsWith("HTTP/1.1 401 ")) << path;
    ask("/api/webhook/x", basic("anna:wrong"));
    EXPECT_THAT(edge->origin().received, StartsWith("GET /api/webhook/x HTTP/1.1\r\n"));
    EXPECT_THAT(edge->origin().received, Not(HasSubstr("Authorization")));  // our password is no home's business
}

TEST_F(RoutePolicyTest, EndsUpgradedStreamsThatAreIdle) {
    // The shortest that can be configured is too long for a test.
    RoutePolicy policy;
    policy.idle_timeout = std::chrono::milliseconds(50);
    Route route = FakeEdge::usual_route();
    open("{}", route);
    route.policy = std::make_shared<const RoutePolicy>(std::move(policy));
    edge->set_routes({route});
    edge->say("GET /ws HTTP/1.1\r\nHost: home.example\r\nConnection: upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
              "Sec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\n\r\n");
    edge->origin().say("HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n");
    EXPECT_THAT(edge->heard(), StartsWith("HTTP/1.1 101 "));
    for (int i = 0; i < 3000 && !edge->record->destroyed; ++i) edge->loop.turn(std::chrono::milliseconds(10));
    EXPECT_TRUE(edge->record->destroyed);
    EXPECT_TRUE(edge->origin().reset);
}

}  // namespace
}  // namespace sallyport
