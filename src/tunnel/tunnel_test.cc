#include "tunnel/tunnel.h"

#include <gtest/gtest.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <deque>
#include <map>
#include <random>

#include "base/random.h"
#include "net/tcp_transport.h"

namespace sallyport {
namespace {

using namespace std::chrono_literals;

// Either end of a stream: sends `to_send`, keeps what comes, consumes it at once unless told to stall.
struct Peer final : Stream::Owner {
    explicit Peer(Loop& l) : loop(l) {}
    void on_stream_accepted() override { accepted = true; }
    void on_stream_refused(const Refusal& r) override { refusal = r; }
    void on_stream_octets(Octets octets) override {
        received += as_text(octets);
        if (stalled) held += octets.size();
        else stream->consumed(octets.size());
        if (echo) send(as_text(octets));
    }
    void on_stream_end() override {
        ended = true;
        if (echo) finish();
    }
    void on_stream_reset(const Error& error) override { reset = error; }
    Stream::Pulled on_stream_pull(MutableOctets room) override {
        const std::size_t count = to_send.copy(reinterpret_cast<char*>(room.data()), room.size());
        to_send.erase(0, count);
        most_held = std::max(most_held, to_send.size());
        return {count, finishing && to_send.empty()};
    }
    void send(std::string_view octets) {
        to_send += octets;
        stream->wake();
    }
    void finish() {
        finishing = true;
        stream->wake();
    }
    void unstall() {
        stalled = false;
        stream->consumed(std::exchange(held, 0));
    }
    Loop& loop;
    StreamPtr stream;
    std::string to_send, received;
    std::size_t held = 0, most_held = 0;
    bool accepted = false, ended = false, finishing = false, stalled = false, echo = false;
    std::optional<Refusal> refusal;
    std::optional<Error> reset;
};

struct End final : Tunnel::Owner {
    explicit End(Loop& l) : loop(l) {}
    void on_tunnel_ready() override { ready = true; }
    void on_tunnel_control(std::string_view line) override { control.emplace_back(line); }
    void on_tunnel_stream(OpenRequest request, std::unique_ptr<IncomingStream> stream) override {
        requests.push_back(request);
        auto& peer = *incoming.emplace_back(std::make_unique<Peer>(loop));
        stream->set_owner(peer);
        if (request.target == "refused") {
            stream->refuse({403, "destination_ip_prohibited", "add: services: \"refused\""});
        } else if (request.target != "silent") {
            stream->accept();
        }
        peer.echo = request.target == "echo";
        peer.stalled = request.target == "stalled";
        peer.stream = std::move(stream);
    }
    void on_tunnel_lost(const Error& error) override { lost = error; }
    void on_tunnel_closed(const Error& error) override { closed = error; }
    Loop& loop;
    std::unique_ptr<Tunnel> tunnel;
    bool ready = false;
    std::vector<std::string> control;
    std::vector<OpenRequest> requests;
    std::vector<std::unique_ptr<Peer>> incoming;
    std::optional<Error> lost, closed;
};

class TunnelTest : public testing::Test {
protected:
    void SetUp() override { connect({}); }

    void connect(const TunnelSettings& settings) {
        std::array<int, 2> ends;
        ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends.data()), 0);
        relay_.tunnel = Tunnel::make(loop_, TunnelRole::relay, make_plain_transport(loop_, Descriptor(ends[0])), "",
                                     settings, relay_);
        agent_.tunnel = Tunnel::make(loop_, TunnelRole::agent, make_plain_transport(loop_, Descriptor(ends[1])), "",
                                     settings, agent_);
    }
    template <class Condition>
    void run_until(Condition done) {
        for (int turns = 0; !done() && turns < 30'000 && !relay_.closed; ++turns) loop_.turn(20ms);
        ASSERT_TRUE(done()) << (relay_.closed ? relay_.closed->detail : "");
    }
    Peer& open(const std::string& target) {
        auto& peer = *opened_.emplace_back(std::make_unique<Peer>(loop_));
        auto stream = relay_.tunnel->open({target, "for=192.0.2.1"}, peer);
        EXPECT_TRUE(stream);
        peer.stream = std::move(*stream);
        return peer;
    }

    Loop loop_;
    End relay_{loop_}, agent_{loop_};
    std::vector<std::unique_ptr<Peer>> opened_;
};

}  // namespace

TEST_F(TunnelTest, BothEndsGetReadyAndTalkOnTheControlStream) {
    relay_.tunnel->send_control(R"({"kind":"routes"})");
    agent_.tunnel->send_control(R"({"kind":"hello"})");
    run_until([&] { return relay_.ready && agent_.ready && relay_.control.size() == 1 && agent_.control.size() == 1; });
    EXPECT_EQ(relay_.control[0], R"({"kind":"hello"})");
    run_until([&] { return relay_.tunnel->round_trip() > 0us; });
    EXPECT_EQ(relay_.tunnel->open_streams(), 0u);
}

TEST_F(TunnelTest, AStreamCarriesOctetsAndHalfClosesBothWays) {
    Peer& visitor = open("echo");
    visitor.send("ping");  // right behind CONNECT
    run_until([&] { return visitor.received == "ping"; });
    EXPECT_TRUE(visitor.accepted);
    EXPECT_EQ(agent_.requests[0].target, "echo");
    EXPECT_EQ(agent_.requests[0].forwarded, "for=192.0.2.1");
    EXPECT_FALSE(visitor.ended);
    visitor.finish();
    run_until([&] { return visitor.ended && relay_.tunnel->open_streams() == 0; });
    EXPECT_FALSE(visitor.reset);
}

TEST_F(TunnelTest, LargeTransfersArriveWholeInBothDirections) {
    const std::string octets = random_octets(20'000'000);
    Peer& visitor = open("echo");
    visitor.send(octets);
    visitor.finish();
    run_until([&] { return visitor.ended; });
    EXPECT_TRUE(visitor.received == octets);
}

TEST_F(TunnelTest, AStalledStreamStopsItsSenderAndNobodyElse) {
    Peer& stalled = open("stalled");
    stalled.send(std::string(8'000'000, 'x'));
    Peer& other = open("echo");
    other.send(std::string(3'000'000, 'y'));
    run_until([&] { return other.received.size() == 3'000'000; });
    EXPECT_LE(agent_.incoming[0]->held, 64_KiB);
    EXPECT_GE(stalled.to_send.size(), 7'000'000u);
    agent_.incoming[0]->unstall();
    run_until([&] { return agent_.incoming[0]->received.size() == 8'000'000; });
}

TEST_F(TunnelTest, AThousandStalledStreamsDoNotStopTheNext) {
    for (int i = 0; i < 1000; ++i) open("stalled").send(std::string(100'000, 'x'));
    Peer& other = open("echo");
    other.send("still here");
    run_until([&] { return other.received == "still here"; });
}

TEST_F(TunnelTest, RefusalsCarryStatusAndCause) {
    Peer& visitor = open("refused");
    visitor.send(std::string(200'000, 'x'));
    run_until([&] { return visitor.refusal.has_value(); });
    EXPECT_EQ(visitor.refusal->status, 403);
    EXPECT_EQ(visitor.refusal->cause, "destination_ip_prohibited");
    EXPECT_EQ(visitor.refusal->details, "add: services: \"refused\"");
    run_until([&] { return relay_.tunnel->open_streams() == 0 && agent_.tunnel->open_streams() == 0; });
}

TEST_F(TunnelTest, AResetPassesOnFromEitherEnd) {
    Peer& first = open("echo");
    Peer& second = open("silent");
    run_until([&] { return agent_.incoming.size() == 2; });
    first.stream->reset();
    agent_.incoming[1]->stream->reset();
    run_until([&] { return agent_.incoming[0]->reset && second.reset; });
    EXPECT_FALSE(first.reset) << "who resets hears nothing more";
    EXPECT_EQ(relay_.tunnel->open_streams(), 0u);
}

TEST_F(TunnelTest, ManyAbortedStreamsLeaveTheTunnelUp) {
    run_until([&] { return relay_.ready; });
    for (int round = 0; round < 500; ++round) {
        for (int i = 0; i < 100; ++i) open("silent").send("GET / HTTP/1.1\r\n\r\n");
        for (auto& peer : opened_) peer->stream.reset();  // some before CONNECT has left, some after
        for (int i = 0; i < 20; ++i) open("silent");
        for (int turns = 0; turns < 3; ++turns) loop_.turn(0ms);
        opened_.clear();
        agent_.incoming.clear();
    }
    Peer& visitor = open("echo");
    visitor.send("alive");
    run_until([&] { return visitor.received == "alive"; });
    EXPECT_FALSE(relay_.closed);
}

TEST_F(TunnelTest, TheLimitOfStreamsIsToldNotQueued) {
    run_until([&] { return relay_.ready; });
    TunnelSettings settings;
    for (std::uint32_t i = 1; i < settings.most_streams; ++i) open("silent");
    Peer one_more(loop_);
    EXPECT_EQ(relay_.tunnel->open({"silent", ""}, one_more).error().code, Errc::no_space);
}

TEST_F(TunnelTest, ClosingResetsStreamsAndTellsBothOwners) {
    Peer& visitor = open("echo");
    run_until([&] { return visitor.accepted; });
    agent_.tunnel->close({Errc::refused, "disabled"});
    EXPECT_TRUE(agent_.incoming[0]->reset);
    run_until([&] { return relay_.closed && agent_.closed; });
    EXPECT_TRUE(visitor.reset);
    EXPECT_EQ(agent_.closed->detail, "disabled");
    EXPECT_FALSE(relay_.tunnel->open({"echo", ""}, visitor));
}

TEST_F(TunnelTest, RandomStreamsStayOctetExact) {
    std::mt19937 random(7);
    std::map<Peer*, std::string> sent;
    for (int i = 0; i < 50; ++i) {
        Peer& visitor = open("echo");
        sent[&visitor] = random_octets(random() % 400'000);
        visitor.send(sent[&visitor]);
        visitor.finish();
        loop_.turn(0ms);
    }
    run_until([&] { return std::ranges::all_of(sent, [](auto& pair) { return pair.first->ended; }); });
    for (auto& [visitor, octets] : sent) EXPECT_TRUE(visitor->received == octets);
}

// Both ends over connections that a test cuts and replaces, as agent and relay do it: freeze, tell the counts, resume.
class ResumeTest : public TunnelTest {
protected:
    void SetUp() override {
        settings_.resume_window = 10s;
        settings_.ack_delay = 1ms;
        connect(settings_);
    }
    // Whatever is on the way is lost, in either direction.
    void replace_connection() {
        std::array<int, 2> ends;
        ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends.data()), 0);
        const ByteCount relay_has = relay_.tunnel->freeze();
        const ByteCount agent_has = agent_.tunnel->freeze();
        ASSERT_TRUE(relay_.tunnel->resume(make_plain_transport(loop_, Descriptor(ends[0])), "", agent_has));
        ASSERT_TRUE(agent_.tunnel->resume(make_plain_transport(loop_, Descriptor(ends[1])), "", relay_has));
    }
    TunnelSettings settings_;
};

TEST_F(ResumeTest, NoOctetIsLostOrDoubledThroughManyCuts) {
    for (unsigned seed = 0; seed < 20; ++seed) {
        std::mt19937 random(seed);
        std::map<Peer*, std::string> sent;
        for (int i = 0; i < 5; ++i) {
            Peer& visitor = open("echo");
            sent[&visitor] = random_octets(random() % 3'000'000);
            visitor.send(sent[&visitor]);
            visitor.finish();
        }
        const auto all_ended = [&] { return std::ranges::all_of(sent, [](auto& pair) { return pair.first->ended; }); };
        for (int cuts = 0; !all_ended(); ++cuts) {
            for (auto turns = random() % 30; turns > 0 && !all_ended(); --turns) loop_.turn(1ms);
            if (cuts < 200) replace_connection();
            ASSERT_FALSE(relay_.closed || agent_.closed);
        }
        for (auto& [visitor, octets] : sent) {
            EXPECT_TRUE(visitor->received == octets);
            EXPECT_FALSE(visitor->reset);
        }
        opened_.clear();
        agent_.incoming.clear();
    }
}

TEST_F(ResumeTest, ALostConnectionIsToldAndTheSessionWaits) {
    Peer& visitor = open("echo");
    visitor.send("before ");
    run_until([&] { return visitor.received == "before "; });
    agent_.tunnel->freeze();
    run_until([&] { return relay_.lost.has_value(); });
    EXPECT_FALSE(relay_.tunnel->connected());
    visitor.send("after");  // waits in the ring
    loop_.turn(0ms);
    replace_connection();
    run_until([&] { return visitor.received == "before after"; });
    EXPECT_FALSE(visitor.reset || relay_.closed);
}

TEST_F(ResumeTest, AfterTheWindowStreamsAreResetAndTheTunnelCloses) {
    settings_.resume_window = 10ms;
    connect(settings_);
    Peer& visitor = open("echo");
    run_until([&] { return visitor.accepted; });
    agent_.tunnel->freeze();
    while (!relay_.closed || !agent_.closed) loop_.turn(20ms);
    EXPECT_TRUE(visitor.reset);
    EXPECT_EQ(relay_.closed->code, Errc::timeout);
}

TEST_F(ResumeTest, ACountThatCannotBeEndsTheSession) {
    run_until([&] { return relay_.ready; });
    std::array<int, 2> ends;
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends.data()), 0);
    const Descriptor other(ends[1]);
    EXPECT_FALSE(relay_.tunnel->resume(make_plain_transport(loop_, Descriptor(ends[0])), "", 1'000'000'000));
    while (!relay_.closed) loop_.turn(20ms);
}

TEST_F(ResumeTest, KnowsWhichCountsItCanResumeFrom) {
    Peer& visitor = open("echo");
    visitor.send(random_octets(100'000));
    run_until([&] { return visitor.received.size() == 100'000; });
    run_until([&] { return !relay_.tunnel->waiting_since(); });  // all is acknowledged
    const ByteCount agent_has = agent_.tunnel->freeze();
    run_until([&] { return relay_.lost.has_value(); });
    EXPECT_TRUE(relay_.tunnel->can_resume_from(agent_has));
    EXPECT_FALSE(relay_.tunnel->can_resume_from(0)) << "acknowledged long ago, so given back";
    EXPECT_FALSE(relay_.tunnel->can_resume_from(agent_has + 1'000'000)) << "never sent";
    relay_.tunnel->close({Errc::end_of_stream, "test"});
    EXPECT_FALSE(relay_.tunnel->can_resume_from(agent_has));
}

TEST(TunnelLiveness, TellsSinceWhenAnAnswerIsMissing) {
    Loop loop;
    End relay(loop), agent(loop);
    std::array<int, 2> ends;
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends.data()), 0);
    TunnelSettings settings;
    settings.ack_delay = 1ms;
    settings.resume_window = 10s;
    relay.tunnel = Tunnel::make(loop, TunnelRole::relay, make_plain_transport(loop, Descriptor(ends[0])), "", settings, relay);
    while (!relay.tunnel->waiting_since()) loop.turn(1ms);  // its first PING and SETTINGS
    const TimePoint since = *relay.tunnel->waiting_since();
    loop.turn(1ms);
    EXPECT_EQ(relay.tunnel->waiting_since(), since) << "nobody is there, so nothing was heard";
    agent.tunnel = Tunnel::make(loop, TunnelRole::agent, make_plain_transport(loop, Descriptor(ends[1])), "", settings, agent);
    for (int turns = 0; relay.tunnel->waiting_since() && turns < 10'000; ++turns) loop.turn(20ms);
    EXPECT_FALSE(relay.tunnel->waiting_since()) << "all is answered";
    agent.tunnel->freeze();
    while (relay.tunnel->connected()) loop.turn(20ms);
    relay.tunnel->ping();
    EXPECT_FALSE(relay.tunnel->waiting_since()) << "nothing is connected";
}

TEST(TunnelLiveness, ASilentPeerIsTimedOut) {
    Loop loop;
    End relay(loop);
    std::array<int, 2> ends;
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends.data()), 0);
    const Descriptor silent(ends[1]);
    TunnelSettings settings;
    settings.heartbeat_timeout = 20ms;
    relay.tunnel = Tunnel::make(loop, TunnelRole::relay, make_plain_transport(loop, Descriptor(ends[0])), "", settings, relay);
    while (!relay.closed) loop.turn(1s);
    EXPECT_EQ(relay.closed->code, Errc::timeout);
}

TEST(TunnelInput, NonsenseFromThePeerEndsTheTunnelInOrder) {
    for (unsigned seed = 0; seed < 300; ++seed) {
        Loop loop;
        End relay(loop);
        std::array<int, 2> ends;
        ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends.data()), 0);
        Descriptor rude(ends[1]);
        relay.tunnel = Tunnel::make(loop, TunnelRole::relay, make_plain_transport(loop, Descriptor(ends[0])), "", {}, relay);
        const std::string nonsense = random_octets(1 + seed * 7);
        ASSERT_EQ(::write(rude.get(), nonsense.data(), nonsense.size()), static_cast<ssize_t>(nonsense.size()));
        loop.turn(0ms);
        rude.reset();
        for (int turns = 0; !relay.closed && turns < 100; ++turns) loop.turn(1s);
        EXPECT_TRUE(relay.closed);
    }
}

}  // namespace sallyport
