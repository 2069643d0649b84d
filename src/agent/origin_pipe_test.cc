#include "agent/origin_pipe.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace sallyport {
namespace {

// The tunnel's side of the pipe, by hand. `room`: how many octets the tunnel takes until more_room().
class FakeStream final : public IncomingStream {
public:
    explicit FakeStream(std::vector<std::string>& events) : events_(events) {}
    void set_owner(Owner& owner) override { owner_ = &owner; }
    void accept() override { events_.emplace_back("accept"); }
    void refuse(const Refusal& refusal) override {
        events_.push_back("refuse " + std::to_string(refusal.status) + " " + refusal.cause);
    }
    void wake() override {
        while (room > 0 && !ended) {
            std::string piece(std::min<std::size_t>(room, 7), '\0');  // small, so that there are many pulls
            const auto pulled = owner_->on_stream_pull(std::as_writable_bytes(std::span(piece)));
            pulled_octets += piece.substr(0, pulled.octets);
            room -= pulled.octets;
            ended = pulled.end;
            if (pulled.octets == 0 && !pulled.end) return;
        }
    }
    void consumed(ByteCount octets) override { consumed_octets += octets; }
    void reset() override { events_.emplace_back("stream reset"); }
    void more_room(std::size_t octets) {
        room += octets;
        wake();
    }
    Owner& owner() { return *owner_; }

    std::size_t room = 1 << 20;
    std::string pulled_octets;
    bool ended = false;
    ByteCount consumed_octets = 0;

private:
    std::vector<std::string>& events_;
    Owner* owner_ = nullptr;
};

class FakeOrigin final : public Transport {
public:
    explicit FakeOrigin(std::vector<std::string>& events) : events_(events) {}
    void set_owner(Owner* owner) override { owner_ = owner; }
    bool send_ready() const override { return room > 0; }
    void send(Octets head, Octets body) override {
        EXPECT_TRUE(send_ready());
        EXPECT_LE(head.size() + body.size(), kSendQuantum);
        sent += as_text(head);
        sent += as_text(body);
        --room;
    }
    void pause_receive() override { paused = true; }
    void resume_receive() override { paused = false; }
    void end_send() override { events_.emplace_back("end_send"); }
    void close() override { events_.emplace_back("close"); }
    void abort() override { events_.emplace_back("abort"); }
    const SocketAddress& peer_address() const override { return address_; }
    void name_peer(const SocketAddress&) override {}
    const SocketAddress& local_address() const override { return address_; }
    void receive(std::string text) {
        ASSERT_FALSE(paused);
        owner_->on_receive(std::as_writable_bytes(std::span(text)));
        text.assign(text.size(), '!');  // a view kept beyond the call would show it
    }
    Owner& owner() { return *owner_; }

    int room = 1000;  // calls of send() until send_ready() turns false
    std::string sent;
    bool paused = false;

private:
    std::vector<std::string>& events_;
    Owner* owner_ = nullptr;
    SocketAddress address_;
};

class OriginPipeTest : public testing::Test {
protected:
    OriginPipeTest() {
        auto stream = std::make_unique<FakeStream>(events);
        stream_ = stream.get();
        pipe =
            std::make_unique<OriginPipe>(loop, std::move(stream), [this](OriginPipe&) { events.emplace_back("over"); });
    }
    FakeStream& stream() { return *stream_; }
    FakeOrigin& connect() {
        auto origin = std::make_unique<FakeOrigin>(events);
        FakeOrigin& here = *origin;
        pipe->connected(std::move(origin));
        EXPECT_EQ(events, std::vector<std::string>{"accept"});
        events.clear();
        return here;
    }
    void visitor_sends(std::string_view text) { stream().owner().on_stream_octets(as_octets(text)); }
    std::vector<std::string> take_events() { return std::exchange(events, {}); }
    using Events = std::vector<std::string>;

    Loop loop;
    std::vector<std::string> events;
    std::unique_ptr<OriginPipe> pipe;

private:
    FakeStream* stream_ = nullptr;
};

TEST_F(OriginPipeTest, HoldsOctetsUntilTheOriginIsConnected) {
    visitor_sends("GET / ");
    visitor_sends("HTTP/1.1\r\n\r\n");
    EXPECT_EQ(stream().consumed_octets, 0u);  // no credit for what has not left
    FakeOrigin& origin = connect();
    EXPECT_EQ(origin.sent, "GET / HTTP/1.1\r\n\r\n");
    EXPECT_EQ(stream().consumed_octets, 18u);
    origin.receive("HTTP/1.1 200 OK\r\n\r\n");
    EXPECT_EQ(stream().pulled_octets, "HTTP/1.1 200 OK\r\n\r\n");
}

TEST_F(OriginPipeTest, RefusesAndIsOver) {
    visitor_sends("GET /");
    pipe->refuse({502, "connection_refused", "nobody there"});
    EXPECT_EQ(take_events(), (Events{"refuse 502 connection_refused", "over"}));
    pipe.reset();
    EXPECT_EQ(take_events(), Events{});
}

TEST_F(OriginPipeTest, StopsTheOriginWhileTheVisitorDoesntRead) {
    FakeOrigin& origin = connect();
    stream().room = 10;
    origin.receive("0123456789abcdef");
    EXPECT_TRUE(origin.paused);
    EXPECT_EQ(stream().pulled_octets, "0123456789");
    stream().more_room(3);
    EXPECT_TRUE(origin.paused);
    stream().more_room(100);
    EXPECT_FALSE(origin.paused);
    EXPECT_EQ(stream().pulled_octets, "0123456789abcdef");
}

TEST_F(OriginPipeTest, GivesNoCreditForWhatTheOriginDoesntTake) {
    FakeOrigin& origin = connect();
    origin.room = 1;
    visitor_sends("first");
    visitor_sends("second");
    visitor_sends("third");
    EXPECT_EQ(stream().consumed_octets, 5u);
    origin.room = 1;
    origin.owner().on_send_ready();
    EXPECT_EQ(origin.sent, "firstsecondthird");
    EXPECT_EQ(stream().consumed_octets, 16u);
}

TEST_F(OriginPipeTest, SendsAtMostAQuantumAtOnce) {
    const std::string much(3 * Transport::kSendQuantum + 1, 'x');
    FakeOrigin& origin = connect();
    origin.room = 2;
    visitor_sends(much);
    EXPECT_EQ(origin.sent.size(), 2 * Transport::kSendQuantum);
    origin.room = 100;
    origin.owner().on_send_ready();
    EXPECT_EQ(origin.sent, much);
    EXPECT_EQ(stream().consumed_octets, much.size());
}

TEST_F(OriginPipeTest, PassesTheVisitorsEndOnBehindItsOctets) {
    visitor_sends("request");
    stream().owner().on_stream_end();
    auto origin = std::make_unique<FakeOrigin>(events);
    FakeOrigin& here = *origin;
    here.room = 0;
    pipe->connected(std::move(origin));
    EXPECT_EQ(take_events(), Events{"accept"});
    here.room = 1;
    here.owner().on_send_ready();
    EXPECT_EQ(take_events(), Events{}) << "the octets are still inside the transport";
    here.room = 1;
    here.owner().on_send_ready();
    EXPECT_EQ(take_events(), Events{"end_send"});
    here.receive("answer");
    here.owner().on_receive_end();
    EXPECT_EQ(stream().pulled_octets, "answer");
    EXPECT_TRUE(stream().ended);
    EXPECT_EQ(take_events(), (Events{"close", "over"}));
}

TEST_F(OriginPipeTest, PassesTheOriginsEndOnAtOnceAndGoesOnSending) {
    FakeOrigin& origin = connect();
    origin.receive("bye");
    origin.owner().on_receive_end();
    EXPECT_TRUE(stream().ended);
    visitor_sends("more");
    EXPECT_EQ(origin.sent, "more");
    EXPECT_EQ(take_events(), Events{});
    stream().owner().on_stream_end();
    EXPECT_EQ(take_events(), (Events{"end_send", "close", "over"}));
}

TEST_F(OriginPipeTest, CutsTheOriginWhenTheVisitorIsGone) {
    FakeOrigin& origin = connect();
    origin.room = 0;
    visitor_sends("waiting");
    stream().owner().on_stream_reset({Errc::reset, ""});
    EXPECT_EQ(take_events(), (Events{"abort", "over"}));
    pipe.reset();
    EXPECT_EQ(take_events(), Events{});
}

TEST_F(OriginPipeTest, CutsTheStreamWhenTheOriginIsCut) {
    FakeOrigin& origin = connect();
    origin.receive("half an ans");
    origin.owner().on_transport_error({Errc::reset, ""});
    loop.turn(Duration::zero());
    EXPECT_EQ(take_events(), (Events{"stream reset", "over"}));
    EXPECT_FALSE(stream().ended);
}

TEST_F(OriginPipeTest, LetsHeldOctetsGoBeforeItCutsTheStream) {
    FakeOrigin& origin = connect();
    stream().room = 4;
    origin.receive("half an answer");
    origin.owner().on_transport_error({Errc::reset, ""});
    loop.turn(Duration::zero());
    EXPECT_EQ(take_events(), Events{});
    stream().more_room(100);
    EXPECT_EQ(stream().pulled_octets, "half an answer");
    loop.turn(Duration::zero());
    EXPECT_EQ(take_events(), (Events{"stream reset", "over"}));
    EXPECT_FALSE(stream().ended);
}

TEST_F(OriginPipeTest, CutsBothWhenItIsDestroyed) {
    connect();
    pipe.reset();
    EXPECT_EQ(take_events(), (Events{"abort", "stream reset"}));
}

}  // namespace
}  // namespace sallyport
