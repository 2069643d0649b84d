#include "edge/local_exchange.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>
#include <thread>

#include "edge/edge_fakes.h"
#include "edge/redirect_exchange.h"

namespace sallyport {
namespace {

using testing::EndsWith;
using testing::HasSubstr;
using testing::StartsWith;

struct FakeHandler final : LocalHandler {
    void handle(LocalRequest r, Reply reply) override {
        request = std::move(r);
        waiting = std::move(reply);
        if (answers_itself) std::exchange(waiting, {})({.content = "{}", .fields = {{"X-A", "1"}}});
    }
    std::optional<LocalRequest> request;
    Reply waiting;
    bool answers_itself = true;
};

class LocalExchangeTest : public testing::Test {
protected:
    void SetUp() override {
        edge.connect([this](EdgeContext& c, VisitorRequest& v) { return std::make_unique<LocalExchange>(c, v, handler); });
    }
    std::string hear() {  // an answer takes a message to the loop
        for (int i = 0; i < 100 && edge.record->sent.empty(); ++i) edge.loop.turn(std::chrono::milliseconds(100));
        return edge.heard();
    }
    FakeHandler handler;
    FakeEdge edge;
};

TEST_F(LocalExchangeTest, CollectsContentAndAnswers) {
    edge.say("POST /agents?x=1 HTTP/1.1\r\nHost: local\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n");
    EXPECT_FALSE(handler.request);
    edge.say("2\r\nde\r\n0\r\n\r\n");
    ASSERT_TRUE(handler.request);
    EXPECT_EQ(handler.request->method, "POST");
    EXPECT_EQ(handler.request->path, "/agents");
    EXPECT_EQ(handler.request->query, "x=1");
    EXPECT_EQ(handler.request->content, "abcde");
    const std::string heard = hear();
    EXPECT_THAT(heard, StartsWith("HTTP/1.1 200 OK\r\n"));
    EXPECT_THAT(heard, HasSubstr("X-A: 1\r\n"));
    EXPECT_THAT(heard, EndsWith("Content-Length: 2\r\n\r\n{}"));
    edge.say("HEAD / HTTP/1.1\r\nHost: local\r\n\r\n");
    EXPECT_THAT(hear(), EndsWith("Content-Length: 2\r\n\r\n"));
}

TEST_F(LocalExchangeTest, SendsAContinueWhereItIsWaitedFor) {
    edge.say("PUT / HTTP/1.1\r\nHost: local\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n");
    EXPECT_EQ(hear(), "HTTP/1.1 100 Continue\r\n\r\n");
    edge.say("x");
    EXPECT_THAT(hear(), StartsWith("HTTP/1.1 200"));
}

TEST_F(LocalExchangeTest, RefusesContentAboveItsBound) {
    edge.say("PUT / HTTP/1.1\r\nHost: local\r\nContent-Length: 1048577\r\n\r\n");
    EXPECT_THAT(hear(), StartsWith("HTTP/1.1 413"));
    EXPECT_FALSE(handler.request);
}

TEST_F(LocalExchangeTest, RefusesChunkedContentAboveItsBound) {
    edge.say("PUT / HTTP/1.1\r\nHost: local\r\nTransfer-Encoding: chunked\r\n\r\n200000\r\n");
    for (int i = 0; i < 20 && edge.record->sent.empty(); ++i) edge.say(std::string(100'000, 'x'));
    EXPECT_THAT(hear(), StartsWith("HTTP/1.1 413"));
    EXPECT_FALSE(handler.request);
}

TEST_F(LocalExchangeTest, Answers500WhenTheHandlerForgets) {
    handler.answers_itself = false;
    edge.say("GET / HTTP/1.1\r\nHost: local\r\n\r\n");
    handler.waiting = {};
    EXPECT_THAT(hear(), StartsWith("HTTP/1.1 500"));
}

TEST_F(LocalExchangeTest, TakesAnAnswerFromAnotherThread) {
    handler.answers_itself = false;
    edge.say("GET / HTTP/1.1\r\nHost: local\r\n\r\n");
    const std::jthread other([reply = std::move(handler.waiting)]() mutable { reply({.content = "late", .fields = {}}); });
    EXPECT_THAT(hear(), EndsWith("late"));
}

TEST_F(LocalExchangeTest, AnAnswerToNobodyHarmsNobody) {
    handler.answers_itself = false;
    edge.say("GET / HTTP/1.1\r\nHost: local\r\n\r\n");
    edge.leave();
    handler.waiting({.content = "late", .fields = {}});
    edge.loop.turn(std::chrono::seconds(1));
    EXPECT_TRUE(edge.record->destroyed);
}

TEST_F(LocalExchangeTest, SendsALongAnswerAsTheVisitorReads) {
    handler.answers_itself = false;
    edge.say("GET /metrics HTTP/1.1\r\nHost: local\r\n\r\n");
    edge.record->ready_for = 1;
    handler.waiting({.content_type = "text/plain", .content = std::string(500'000, 'm'), .fields = {}});
    EXPECT_LE(hear().size(), Transport::kSendQuantum);
    edge.become_ready();
    EXPECT_GT(edge.heard().size(), 300'000u);
}

TEST(RedirectExchange, SendsEverybodyToHttps) {
    EdgeSettings settings;
    settings.public_https_port = 8443;
    FakeEdge edge(settings);
    edge.connect([](EdgeContext& c, VisitorRequest& v) { return std::make_unique<RedirectExchange>(c, v); });
    edge.say("GET /a%2F//b?c=d HTTP/1.1\r\nHost: home.example:80\r\n\r\n");
    std::string heard = edge.heard();
    EXPECT_THAT(heard, StartsWith("HTTP/1.1 308"));
    EXPECT_THAT(heard, HasSubstr("Location: https://home.example:8443/a%2F//b?c=d\r\n"));
    edge.say("POST / HTTP/1.1\r\nHost: [::1]\r\nContent-Length: 3\r\n\r\nabc");
    heard = edge.heard();
    EXPECT_THAT(heard, StartsWith("HTTP/1.1 308"));
    EXPECT_THAT(heard, HasSubstr("Location: https://[::1]:8443/\r\n"));
    EXPECT_FALSE(edge.record->ended);
    edge.say("GET / HTTP/1.0\r\n\r\n");
    EXPECT_THAT(edge.heard(), StartsWith("HTTP/1.1 400"));
}

}  // namespace
}  // namespace sallyport
