#include "edge/http2_connection.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "edge/edge_fakes.h"

namespace sallyport {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

enum Type : std::uint8_t { kData = 0, kHeaders = 1, kReset = 3, kSettings = 4, kPing = 6, kGoaway = 7, kWindowUpdate = 8, kContinuation = 9 };

std::string number(std::uint32_t n) {
    std::string out;
    for (const int shift : {24, 16, 8, 0}) out += static_cast<char>(n >> shift);
    return out;
}

std::string frame(Type type, int flags, std::uint32_t stream, std::string_view payload = {}) {
    return number(static_cast<std::uint32_t>(payload.size())).substr(1) + static_cast<char>(type) + static_cast<char>(flags) + number(stream) + std::string(payload);
}

// Literals without indexing, but for what the static table has whole (RFC 7541 A): GET or POST, "/", https.
std::string head(bool post = false) { return std::string(post ? "\x83" : "\x82") + "\x84\x87\x01\x0chome.example"; }

struct Frame {
    int type;
    int flags;
    std::uint32_t stream;
    std::string payload;
    std::uint32_t at(std::size_t place) const {
        std::uint32_t n = 0;
        for (std::size_t i = place; i < place + 4; ++i) n = n << 8 | static_cast<unsigned char>(payload.at(i));
        return n;
    }
};

class Http2ConnectionTest : public testing::Test {
protected:
    void open(EdgeSettings settings = {}, std::string_view first_settings = {}) {
        edge = std::make_unique<FakeEdge>(std::move(settings));
        edge->set_routes({FakeEdge::usual_route()});
        edge->connect_http2();
        edge->say("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(kSettings, 0, 0, first_settings));
        heard();
    }
    // What the visitor got since the last call.
    std::vector<Frame> heard() {
        std::vector<Frame> frames;
        std::string octets = edge->heard();
        for (std::size_t at = 0; at + 9 <= octets.size();) {
            const auto octet = [&](std::size_t i) { return static_cast<unsigned char>(octets[at + i]); };
            const std::size_t length = octet(0) << 16 | octet(1) << 8 | octet(2);
            Frame one{octet(3), octet(4), static_cast<std::uint32_t>(octet(7) << 8 | octet(8)), octets.substr(at + 9, length)};
            at += 9 + length;
            frames.push_back(std::move(one));
        }
        return frames;
    }
    // Turns until a frame of that type came.
    Frame wait_for(Type type) {
        for (int i = 0; i < 3000; ++i) {
            for (Frame& one : heard())
                if (one.type == type) return one;
            edge->loop.turn(std::chrono::milliseconds(10));
        }
        ADD_FAILURE() << "no frame of type " << static_cast<int>(type);
        return {0, 0, 0, std::string(8, '\0')};
    }
    void wait_until(auto&& done) {
        for (int i = 0; i < 3000 && !done(); ++i) edge->loop.turn(std::chrono::milliseconds(10));
        EXPECT_TRUE(done());
    }
    static std::string ask(std::uint32_t stream) { return frame(kHeaders, 5, stream, head()); }
    static constexpr std::string_view kHello = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";
    std::unique_ptr<FakeEdge> edge;
};

TEST_F(Http2ConnectionTest, PassesARequestAndItsAnswerInOneSend) {
    open();
    edge->say(ask(1));
    EXPECT_EQ(edge->origin().received, "GET / HTTP/1.1\r\nHost: home.example\r\nCDN-Loop: sallyport\r\n\r\n");
    const std::size_t before = edge->record->sends;
    edge->origin().say(kHello);
    edge->turn();
    EXPECT_EQ(edge->record->sends, before + 1);
    const auto frames = heard();
    ASSERT_EQ(frames.size(), 2u);
    EXPECT_EQ(frames[0].type, kHeaders);
    EXPECT_EQ(frames[1].payload, "hello");
    EXPECT_EQ(frames[1].flags, 1);  // END_STREAM with the last octet
    EXPECT_EQ(edge->origin().consumed, kHello.size());
    EXPECT_EQ(edge->origins.in_use, 0u);
}

TEST_F(Http2ConnectionTest, AsksOnAsManyStreamsAsItHasRequestsAndUsesThemAgain) {
    open();
    edge->say(ask(1) + ask(3) + ask(5));
    ASSERT_EQ(edge->origins.opened.size(), 3u);
    for (const auto& origin : edge->origins.opened) origin->say(kHello);
    edge->turn();
    edge->say(ask(7) + ask(9) + ask(11));
    EXPECT_EQ(edge->origins.opened.size(), 3u);
}

TEST_F(Http2ConnectionTest, NeverBeginsWhatWasResetInTheSameBreath) {
    open();
    std::string octets;
    for (std::uint32_t stream = 1; stream < 100; stream += 2) octets += ask(stream) + frame(kReset, 0, stream, number(8));
    edge->say(octets);
    EXPECT_TRUE(edge->origins.opened.empty());
}

TEST_F(Http2ConnectionTest, LeavesWithTheOriginWhatTheVisitorHasNoWindowFor) {
    open({}, std::string("\0\4\0\0\0\3", 6));  // INITIAL_WINDOW_SIZE 3
    edge->say(ask(1));
    edge->origin().say(kHello);
    edge->turn();
    EXPECT_EQ(heard().back().payload, "hel");
    EXPECT_EQ(edge->origin().consumed, kHello.size() - 2);
    edge->say(frame(kWindowUpdate, 0, 1, number(10)));
    EXPECT_EQ(heard().back().payload, "lo");
    EXPECT_EQ(edge->origin().consumed, kHello.size());
}

TEST_F(Http2ConnectionTest, GivesCreditForContentWhenTheOriginHasTakenIt) {
    open();
    edge->origins.first_room = 200;
    edge->say(frame(kHeaders, 4, 1, head(true)));
    edge->say(frame(kData, 0, 1, std::string(16'000, 'x')) + frame(kData, 0, 1, std::string(16'000, 'x')) + frame(kData, 0, 1, std::string(16'000, 'x')));
    EXPECT_THAT(edge->origin().received, StartsWith("POST / HTTP/1.1\r\n"));
    for (const Frame& one : heard()) EXPECT_FALSE(one.type == kWindowUpdate && one.stream == 1);
    edge->origin().room = ~std::size_t{0};
    edge->origin().pull();
    edge->turn();
    EXPECT_EQ(wait_for(kWindowUpdate).stream, 1u);
}

TEST_F(Http2ConnectionTest, EndsAnAnswerThatTheVisitorDoesNotTake) {
    EdgeSettings settings;
    settings.stall_timeout = std::chrono::milliseconds(50);
    open(settings, std::string("\0\4\0\0\0\0", 6));
    edge->say(ask(1));
    edge->origin().say(kHello);
    EXPECT_EQ(wait_for(kReset).stream, 1u);
    wait_until([&] { return edge->origins.in_use == 0; });
}

TEST_F(Http2ConnectionTest, AnswersForContentThatNeverComes) {
    EdgeSettings settings;
    settings.content_timeout = std::chrono::milliseconds(50);
    open(settings);
    edge->say(frame(kHeaders, 4, 1, head(true)));
    EXPECT_EQ(wait_for(kHeaders).stream, 1u);
    EXPECT_TRUE(edge->origin().reset);
}

TEST_F(Http2ConnectionTest, ClosesWhatBeginsAFieldSectionAndDoesNotEndIt) {
    EdgeSettings settings;
    settings.head_deadline = std::chrono::milliseconds(50);
    open(settings);
    edge->say(frame(kHeaders, 1, 1, head().substr(0, 3)));
    wait_until([&] { return edge->record->closed; });
}

TEST_F(Http2ConnectionTest, ClosesIdleConnectionsWithAGoodbye) {
    EdgeSettings settings;
    settings.idle_timeout = std::chrono::milliseconds(50);
    open(settings);
    EXPECT_EQ(wait_for(kGoaway).at(4), 0u);
    wait_until([&] { return edge->record->ended; });
}

TEST_F(Http2ConnectionTest, DrainsInTwoSteps) {
    open();
    edge->say(ask(1));
    edge->connection->drain_gently();
    edge->turn();
    const auto notice = heard();
    ASSERT_EQ(notice.size(), 2u);
    EXPECT_EQ(notice[0].type, kGoaway);
    EXPECT_EQ(notice[0].at(0), 0x7fffffffu);
    ASSERT_EQ(notice[1].type, kPing);
    edge->say(ask(3) + frame(kPing, 1, 0, notice[1].payload));  // it was on its way, and is served
    const Frame last = wait_for(kGoaway);
    EXPECT_EQ(last.at(0), 3u);
    EXPECT_EQ(last.at(4), 0u);
    for (const auto& origin : edge->origins.opened) origin->say(kHello);
    edge->turn();
    EXPECT_TRUE(edge->record->ended);
}

TEST_F(Http2ConnectionTest, ReadsNoFurtherWhileNobodyTakesItsAnswers) {
    open();
    edge->record->ready = false;
    for (int i = 0; i < 10 && !edge->record->paused; ++i) {
        std::string pings;
        for (int n = 0; n < 50; ++n) pings += frame(kPing, 0, 0, "12345678");
        edge->say(pings);
    }
    EXPECT_TRUE(edge->record->paused || edge->record->closed || edge->connection == nullptr);
    edge->become_ready();
    EXPECT_FALSE(edge->record->paused);
}

}  // namespace
}  // namespace sallyport
