#include "agent/agent.h"

#include <future>

#include "agent/agent_test_support.h"

namespace sallyport {
namespace {

class AgentTest : public testing::Test {
protected:
    AgentSetup setup_for(std::vector<Target> targets) {
        AgentSetup setup;
        setup.relay.url = *parse_relay_url(relay.url());
        setup.relay.tls = *make_relay_tls(setup.relay.url, relay.pin(), {});
        setup.relay.proof = Ed25519PrivateKey::generate();
        setup.targets = TargetTable(std::move(targets), TargetTable::AnyTarget::refused);
        setup.reconnect_base = std::chrono::milliseconds(10);
        setup.reconnect_max = std::chrono::milliseconds(40);
        return setup;
    }
    void start(AgentSetup setup) {
        agent = std::make_unique<Agent>(loop, workers, log, std::move(setup));
        agent->start();
        ASSERT_TRUE(
            test::run_until(loop, [&] { return relay.ready && agent->is_connected() && !relay.control.empty(); }));
    }
    ~AgentTest() override {
        agent.reset();
        loop.turn(Duration::zero());
    }
    bool until(const std::function<bool()>& done) { return test::run_until(loop, done); }
    static Target tcp(std::string name, const test::LoopbackOrigin& origin) {
        return test::make_target(std::move(name), origin.url("tcp"));
    }

    std::optional<TimePoint> frozen;  // what the loop takes for the time, once a test makes it itself
    Loop loop{[this] { return frozen ? *frozen : Clock::now(); }};
    Log log{LogLevel::error, LogFormat::key_value};
    Workers workers{2};
    test::LoopbackRelay relay{loop};
    std::unique_ptr<Agent> agent;
};

TEST_F(AgentTest, SaysHelloWithItsTargets) {
    start(setup_for(
        {test::make_target("radio", "http://127.0.0.1:1"), test::make_target("mqtt", "tcp://127.0.0.1:1883")}));
    const auto message = parse_control_message(relay.control.front());
    ASSERT_TRUE(message);
    const auto& hello = std::get<HelloMessage>(*message);
    EXPECT_EQ(hello.concurrency_limit, 100u);
    ASSERT_EQ(hello.targets.size(), 2u);
    EXPECT_EQ(hello.targets[0].name, "radio");
    EXPECT_EQ(hello.targets[1].scheme, "tcp");
    EXPECT_EQ(hello.targets[1].authority, "127.0.0.1:1883");
}

TEST_F(AgentTest, CarriesOctetsBothWaysAndBothEnds) {
    test::LoopbackOrigin origin(loop, [](test::OriginPeer& peer) {
        if (!peer.received.empty()) peer.send("echo " + std::exchange(peer.received, {}));
        if (peer.ended) peer.transport->end_send();
    });
    start(setup_for({tcp("echo", origin)}));
    test::VisitorStream visitor;
    ASSERT_TRUE(visitor.open(*relay.tunnel, "echo", "hello"));
    ASSERT_TRUE(until([&] { return visitor.received == "echo hello"; }));
    EXPECT_TRUE(visitor.accepted);
    visitor.end();
    ASSERT_TRUE(until([&] { return visitor.ended; }));
    ASSERT_TRUE(until([&] { return agent->open_streams() == 0; }));
    EXPECT_FALSE(visitor.reset);
    EXPECT_FALSE(origin.peers.front()->cut);
}

TEST_F(AgentTest, RefusesWhatIsNotInTheTable) {
    start(setup_for({test::make_target("radio", "http://127.0.0.1:1")}));
    test::VisitorStream visitor;
    ASSERT_TRUE(visitor.open(*relay.tunnel, "127.0.0.1:22"));
    ASSERT_TRUE(until([&] { return visitor.refusal.has_value(); }));
    EXPECT_EQ(visitor.refusal->status, 403);
    EXPECT_EQ(visitor.refusal->cause, "http_request_denied");
    EXPECT_NE(visitor.refusal->details.find("services"), std::string::npos);
    EXPECT_TRUE(until([&] { return agent->open_streams() == 0; }));
}

TEST_F(AgentTest, SaysWhyAnOriginCantBeReached) {
    test::LoopbackOrigin origin(loop, {});
    const Target closed = tcp("closed", origin);
    origin.stop();
    start(setup_for({closed}));
    test::VisitorStream visitor;
    ASSERT_TRUE(visitor.open(*relay.tunnel, "closed"));
    ASSERT_TRUE(until([&] { return visitor.refusal.has_value(); }));
    EXPECT_EQ(visitor.refusal->status, 502);
    EXPECT_EQ(visitor.refusal->cause, "connection_refused");
}

TEST_F(AgentTest, CutsTheOriginWhenTheVisitorIsGone) {
    test::LoopbackOrigin origin(loop, {});
    start(setup_for({tcp("x", origin)}));
    test::VisitorStream visitor;
    ASSERT_TRUE(visitor.open(*relay.tunnel, "x", "hello"));
    ASSERT_TRUE(until([&] { return !origin.peers.empty() && origin.peers.front()->received == "hello"; }));
    visitor.stream->reset();
    ASSERT_TRUE(until([&] { return origin.peers.front()->cut; }));
    EXPECT_TRUE(until([&] { return agent->open_streams() == 0; }));
}

TEST_F(AgentTest, ACutOriginIsNoCompleteAnswer) {
    test::LoopbackOrigin origin(loop, [](test::OriginPeer& peer) {
        peer.send("half");
        peer.transport->abort();
    });
    start(setup_for({tcp("x", origin)}));
    test::VisitorStream visitor;
    ASSERT_TRUE(visitor.open(*relay.tunnel, "x", "hello"));
    ASSERT_TRUE(until([&] { return visitor.reset; }));
    EXPECT_FALSE(visitor.ended);
}

TEST_F(AgentTest, AVisitorWhoStopsReadingStopsTheOriginAndNobodyElse) {
    constexpr std::size_t kMuch = 32 << 20;
    std::size_t sent = 0;
    test::LoopbackOrigin endless(loop, [&](test::OriginPeer& peer) {
        const std::string piece(Transport::kSendQuantum, 'x');
        while (sent < kMuch && peer.transport->send_ready()) {
            peer.send(piece);
            sent += piece.size();
        }
    });
    test::LoopbackOrigin echo(loop, [](test::OriginPeer& peer) { peer.send(std::exchange(peer.received, {})); });
    start(setup_for({tcp("endless", endless), tcp("echo", echo)}));
    test::VisitorStream stalled, lively;
    stalled.stalled = true;
    ASSERT_TRUE(stalled.open(*relay.tunnel, "endless", "go"));
    ASSERT_TRUE(until([&] { return stalled.received.size() >= relay.settings.first_window; }));
    ASSERT_TRUE(lively.open(*relay.tunnel, "echo", "1"));
    for (int i = 0; i < 50; ++i) {
        const std::size_t before = lively.received.size();
        ASSERT_TRUE(until([&] { return lively.received.size() > before; }));
        lively.send("x");
    }
    EXPECT_LE(stalled.received.size(), relay.settings.largest_window);
    stalled.stalled = false;
    stalled.stream->consumed(stalled.unconsumed);
    const std::size_t before = stalled.received.size();
    EXPECT_TRUE(until([&] { return stalled.received.size() > before; }));
}

TEST_F(AgentTest, DialsAgainWhenTheTunnelIsGone) {
    start(setup_for({test::make_target("radio", "tcp://127.0.0.1:1")}));
    const std::size_t connections = relay.connections;
    relay.control.clear();
    relay.tunnel->close({Errc::internal, "test"});
    ASSERT_TRUE(until([&] { return relay.connections > connections && relay.ready && !relay.control.empty(); }));
    EXPECT_TRUE(std::holds_alternative<HelloMessage>(*parse_control_message(relay.control.front())));
}

// With a session that outlives its connection.
class ResumingAgentTest : public AgentTest {
protected:
    ResumingAgentTest() {
        relay.settings.resume_window = std::chrono::seconds(20);
        relay.settings.ack_delay = std::chrono::milliseconds(1);
    }
    AgentSetup setup_for(std::vector<Target> targets) {
        AgentSetup setup = AgentTest::setup_for(std::move(targets));
        setup.tunnel.resume_window = std::chrono::seconds(20);
        setup.tunnel.ack_delay = std::chrono::milliseconds(1);
        return setup;
    }
    void open_echo() {
        ASSERT_TRUE(visitor.open(*relay.tunnel, "echo", "1"));
        ASSERT_TRUE(until([&] { return visitor.received == "1"; }));
    }
    test::LoopbackOrigin origin{loop, [](test::OriginPeer& peer) { peer.send(std::exchange(peer.received, {})); }};
    test::VisitorStream visitor;
};

TEST_F(ResumingAgentTest, StreamsDontNoticeLostConnections) {
    start(setup_for({tcp("echo", origin)}));
    open_echo();
    for (int i = 0; i < 5; ++i) {
        relay.tunnel->freeze();
        const std::size_t before = visitor.received.size();
        visitor.send("x");  // waits in the session
        ASSERT_TRUE(until([&] { return visitor.received.size() > before; }));
        EXPECT_TRUE(agent->is_connected());
    }
    EXPECT_EQ(visitor.received, "1xxxxx");
    EXPECT_EQ(relay.sessions, 1u);
    EXPECT_EQ(relay.control.size(), 1u) << "hello is said once a session";
}

TEST_F(ResumingAgentTest, GoesOnDialingEachSecondWhileTheRelayIsAway) {
    start(setup_for({tcp("echo", origin)}));
    open_echo();
    relay.on_request = [&] { relay.answer = relay.connections < 4 ? test::http_answer(503, "") : std::string(); };
    relay.tunnel->freeze();
    visitor.send("x");
    ASSERT_TRUE(until([&] { return visitor.received == "1x"; }));
    EXPECT_EQ(relay.sessions, 1u);
    EXPECT_GE(relay.connections, 4u);
}

TEST_F(ResumingAgentTest, DialsBesideASilentConnection) {
    test::LoopbackWire wire(loop, relay.port());
    AgentSetup setup = setup_for({tcp("echo", origin)});
    setup.relay.url = *parse_relay_url("wss://127.0.0.1:" + std::to_string(wire.port()));
    start(std::move(setup));
    open_echo();
    wire.freeze();
    const TimePoint frozen = Clock::now();
    std::string more(100'000, 'x');
    ASSERT_TRUE(visitor.stream && origin.peers.size() == 1);
    origin.peers.front()->send(more);  // unacknowledged: the agent notices
    ASSERT_TRUE(until([&] { return visitor.received.size() == 1 + more.size(); }));
    EXPECT_LT(Clock::now() - frozen, std::chrono::seconds(8)) << "no heartbeat had to time out";
    EXPECT_EQ(relay.sessions, 1u);
    EXPECT_FALSE(visitor.reset);
}

TEST_F(ResumingAgentTest, BeginsAnewWhereTheRelayHasForgottenTheSession) {
    start(setup_for({tcp("echo", origin)}));
    open_echo();
    relay.control.clear();
    relay.session = "unknown";
    relay.tunnel->freeze();
    ASSERT_TRUE(until([&] { return relay.sessions == 2 && relay.ready && agent->is_connected() && !relay.control.empty(); }));
    EXPECT_TRUE(visitor.reset);
    EXPECT_TRUE(std::holds_alternative<HelloMessage>(*parse_control_message(relay.control.front())));
    ASSERT_TRUE(until([&] { return agent->open_streams() == 0; })) << "what was open in the old session is over";
    test::VisitorStream fresh;
    ASSERT_TRUE(fresh.open(*relay.tunnel, "echo", "2"));
    EXPECT_TRUE(until([&] { return fresh.received == "2"; }));
}

TEST_F(ResumingAgentTest, ARefusalEndsTheSession) {
    start(setup_for({tcp("echo", origin)}));
    open_echo();
    relay.answer = test::http_answer(403, "");
    relay.tunnel->freeze();
    ASSERT_TRUE(until([&] { return agent->open_streams() == 0; }));
    relay.answer.clear();
    ASSERT_TRUE(until([&] { return relay.sessions == 2 && agent->is_connected(); }));
}

TEST_F(ResumingAgentTest, EndsTheSessionAfterTheWindow) {
    AgentSetup setup = setup_for({tcp("echo", origin)});
    setup.tunnel.resume_window = std::chrono::milliseconds(100);
    start(std::move(setup));
    open_echo();
    relay.answer = test::http_answer(503, "");
    relay.tunnel->freeze();
    ASSERT_TRUE(until([&] { return agent->open_streams() == 0; }));
    relay.answer.clear();
    ASSERT_TRUE(until([&] { return relay.sessions == 2 && agent->is_connected(); }));
}

TEST_F(ResumingAgentTest, StopsAtOnceWhileItsConnectionIsLost) {
    start(setup_for({tcp("echo", origin)}));
    open_echo();
    relay.answer = test::http_answer(503, "");
    relay.tunnel->freeze();
    ASSERT_TRUE(until([&] { return !agent->is_connected(); }));
    bool stopped = false;
    agent->stop(std::chrono::seconds(1000), [&] { stopped = true; });
    ASSERT_TRUE(until([&] { return stopped; }));
}

TEST_F(AgentTest, AChangeOfTheNetworkEndsTheWaitForTheNextAttempt) {
    relay.answer = test::http_answer(503, "");
    AgentSetup setup = setup_for({});
    setup.reconnect_base = setup.reconnect_max = std::chrono::hours(10);
    setup.random = [] { return 0.5; };
    agent = std::make_unique<Agent>(loop, workers, log, std::move(setup));
    agent->start();
    ASSERT_TRUE(until([&] { return relay.connections == 1; }));
    relay.answer.clear();
    // The attempt under way has reached the relay, so it ends by itself; the change must be heard after that.
    ASSERT_TRUE(until([&] {
        agent->check_network("test");
        return agent->is_connected();
    }));
}

TEST_F(ResumingAgentTest, AChangeOfTheNetworkFindsADeadConnectionThatIsIdle) {
    test::LoopbackWire wire(loop, relay.port());
    AgentSetup setup = setup_for({tcp("echo", origin)});
    setup.relay.url = *parse_relay_url("wss://127.0.0.1:" + std::to_string(wire.port()));
    setup.tunnel.heartbeat_interval = std::chrono::hours(1);
    start(std::move(setup));
    open_echo();
    ASSERT_TRUE(until([&] { return !relay.tunnel->waiting_since(); }));
    const std::size_t connections = relay.connections;
    wire.freeze();
    agent->check_network("test");
    ASSERT_TRUE(until([&] { return relay.connections > connections && agent->is_connected(); }));
    visitor.send("2");
    EXPECT_TRUE(until([&] { return visitor.received == "12"; }));
    EXPECT_EQ(relay.sessions, 1u);
}

// Two processes of one relay behind one address.
class DrainedAgentTest : public ResumingAgentTest {
protected:
    AgentSetup setup_for(std::vector<Target> targets) {
        AgentSetup setup = ResumingAgentTest::setup_for(std::move(targets));
        setup.relay.url = *parse_relay_url("wss://127.0.0.1:" + std::to_string(wire.port()));
        return setup;
    }
    test::LoopbackWire wire{loop, relay.port()};
    test::LoopbackRelay next{loop, relay};
};

TEST_F(DrainedAgentTest, DialsBesideADrainingRelayAndServesBoth) {
    start(setup_for({tcp("echo", origin)}));
    open_echo();
    wire.lead_to(next.port());
    relay.say(DrainMessage{"upgrade", std::chrono::seconds(60)});
    ASSERT_TRUE(until([&] { return next.ready && agent->is_connected(); }));
    EXPECT_EQ(agent->retired_tunnels(), 1u);
    visitor.send("2");
    ASSERT_TRUE(until([&] { return visitor.received == "12"; })) << "the old stream goes on";
    test::VisitorStream late, fresh;
    ASSERT_TRUE(late.open(*relay.tunnel, "echo", "a"));
    ASSERT_TRUE(fresh.open(*next.tunnel, "echo", "b"));
    EXPECT_TRUE(until([&] { return late.received == "a" && fresh.received == "b"; }));
    relay.tunnel->close({Errc::end_of_stream, "drained"});
    ASSERT_TRUE(until([&] { return agent->retired_tunnels() == 0; }));
    EXPECT_TRUE(visitor.reset);
    EXPECT_FALSE(fresh.reset);
    fresh.send("c");
    EXPECT_TRUE(until([&] { return fresh.received == "bc"; }));
}

TEST_F(DrainedAgentTest, GoesOnTryingWhileNobodyTakesItsPlaceYet) {
    start(setup_for({tcp("echo", origin)}));
    open_echo();
    // What a process says that doesn't take tunnels any more, and what another one says that still sees the old tunnel.
    std::size_t requests = 0;
    next.on_request = [&] {
        ++requests;
        next.answer = requests == 1 ? test::http_answer(503, "") : requests == 2 ? test::http_answer(409, "") : "";
    };
    wire.lead_to(next.port());
    relay.say(DrainMessage{"stop", std::chrono::seconds(60)});
    ASSERT_TRUE(until([&] { return next.ready && agent->is_connected(); }));
    EXPECT_GE(next.connections, 3u);
    visitor.send("2");
    EXPECT_TRUE(until([&] { return visitor.received == "12"; }));
}

// A relay that comes back to thousands of agents: its kernel has taken the connection, and the relay is busy with others.
TEST_F(DrainedAgentTest, WaitsForARelayThatIsBusyBeforeItAsksBesides) {
    start(setup_for({tcp("echo", origin)}));
    frozen = Clock::now();
    const Descriptor busy = listen_tcp(*SocketAddress::parse("127.0.0.1", 0)).value();
    wire.lead_to(SocketAddress::local_of(busy.get()).port());
    relay.say(DrainMessage{"stop", std::chrono::seconds(60)});
    std::vector<Descriptor> asked;
    const auto pass = [&](std::chrono::milliseconds time) {
        for (const TimePoint end = *frozen + time; *frozen < end; *frozen += std::chrono::milliseconds(100)) {
            for (int turns = 0; turns < 5; ++turns) loop.turn(std::chrono::milliseconds(1));
            while (Descriptor taken{::accept4(busy.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK)}) asked.push_back(std::move(taken));
        }
    };
    for (int i = 0; i < 600 && asked.empty(); ++i) pass(std::chrono::milliseconds(100));
    ASSERT_EQ(asked.size(), 1u);
    pass(std::chrono::milliseconds(2500));
    EXPECT_EQ(asked.size(), 1u) << "the first one is worth waiting for";
    for (int i = 0; i < 600 && asked.size() < 2; ++i) pass(std::chrono::milliseconds(100));
    EXPECT_EQ(asked.size(), 2u) << "but not for ever";
}

TEST_F(DrainedAgentTest, ARetiredTunnelIsNotResumed) {
    start(setup_for({tcp("echo", origin)}));
    open_echo();
    wire.lead_to(next.port());
    relay.say(DrainMessage{"upgrade", std::chrono::seconds(60)});
    ASSERT_TRUE(until([&] { return agent->is_connected() && next.ready; }));
    relay.tunnel->freeze();
    ASSERT_TRUE(until([&] { return agent->retired_tunnels() == 0 && agent->open_streams() == 0; }));
    EXPECT_TRUE(agent->is_connected());
    EXPECT_EQ(relay.connections, 1u);
}

TEST_F(DrainedAgentTest, KeepsAFewRetiredTunnelsOnly) {
    std::deque<test::LoopbackRelay> relays;
    start(setup_for({tcp("echo", origin)}));
    test::LoopbackRelay* draining = &relay;
    for (std::size_t i = 0; i < Agent::kMostRetired + 1; ++i) {
        test::LoopbackRelay& after = relays.emplace_back(loop, relay);
        wire.lead_to(after.port());
        draining->say(DrainMessage{"upgrade", std::chrono::seconds(60)});
        ASSERT_TRUE(until([&] { return after.ready && agent->is_connected(); }));
        draining = &after;
    }
    ASSERT_TRUE(until([&] { return relay.closed; })) << "the oldest";
    EXPECT_EQ(agent->retired_tunnels(), Agent::kMostRetired);
    agent.reset();
}

TEST_F(DrainedAgentTest, StopsWithTunnelsToBoth) {
    start(setup_for({tcp("echo", origin)}));
    open_echo();
    wire.lead_to(next.port());
    relay.say(DrainMessage{"upgrade", std::chrono::seconds(60)});
    ASSERT_TRUE(until([&] { return agent->is_connected() && next.ready; }));
    bool stopped = false;
    agent->stop(std::chrono::seconds(1000), [&] { stopped = true; });
    ASSERT_TRUE(until([&] { return relay.control.size() >= 2 && next.control.size() >= 2; })) << "both are told";
    EXPECT_FALSE(stopped);
    visitor.stream->reset();
    EXPECT_TRUE(until([&] { return stopped && relay.closed && next.closed; }));
}

// What is said at home.
class Witness final : public AgentObserver {
public:
    explicit Witness(std::function<void()> on_connected) : on_connected_(std::move(on_connected)) {}
    bool connected = false;
    std::size_t lists = 0;

private:
    void on_agent_connected(const Url&) override {
        connected = true;
        on_connected_();
    }
    void on_agent_routes(const std::vector<RouteNotice>&) override {
        EXPECT_TRUE(connected);
        ++lists;
    }
    std::function<void()> on_connected_;
};

TEST_F(AgentTest, IsConnectedOnceTheRelayHasConfirmed) {
    relay.confirms = false;
    Witness witness([] {});
    agent = std::make_unique<Agent>(loop, workers, log, setup_for({}), &witness);
    agent->start();
    ASSERT_TRUE(until([&] { return relay.ready && !relay.control.empty(); })) << "hello is there";
    EXPECT_FALSE(agent->is_connected());
    EXPECT_FALSE(witness.connected);
    relay.say(RoutesMessage{});
    ASSERT_TRUE(until([&] { return witness.lists == 1; }));
    EXPECT_TRUE(agent->is_connected());
}

TEST_F(AgentTest, IsCalledConnectedOnceItsEnrolmentIsKept) {
    std::atomic<bool> kept = false;
    std::promise<void> disk;
    Witness witness([&] { EXPECT_TRUE(kept); });
    AgentSetup setup = setup_for({});
    setup.relay.enrolment = Secret{"id.secret"};
    setup.keep_enrolment = [&] {
        disk.get_future().wait();
        kept = true;
    };
    agent = std::make_unique<Agent>(loop, workers, log, std::move(setup), &witness);
    agent->start();
    ASSERT_TRUE(until([&] { return agent->is_connected(); })) << "visitors needn't wait for it";
    EXPECT_FALSE(witness.connected);
    disk.set_value();
    EXPECT_TRUE(until([&] { return witness.connected; }));
}

TEST_F(AgentTest, GoesOnTryingWhileItIsRefused) {
    relay.answer = test::http_answer(404, "");
    agent = std::make_unique<Agent>(loop, workers, log, setup_for({}));
    agent->start();
    ASSERT_TRUE(until([&] { return relay.connections >= 3; }));
    EXPECT_FALSE(agent->is_connected());
    relay.answer.clear();
    EXPECT_TRUE(until([&] { return agent->is_connected(); }));
}

TEST_F(AgentTest, KeepsAnEnrolmentOnceTheRelayHasTakenIt) {
    relay.answer = test::http_answer(503, "");
    AgentSetup setup = setup_for({});
    setup.relay.enrolment = Secret{"id.secret"};
    std::atomic<int> kept = 0;
    setup.keep_enrolment = [&] { ++kept; };
    agent = std::make_unique<Agent>(loop, workers, log, std::move(setup));
    agent->start();
    ASSERT_TRUE(until([&] { return relay.connections >= 2; }));
    EXPECT_EQ(kept, 0);
    relay.answer.clear();
    ASSERT_TRUE(until([&] { return relay.ready && kept == 1; }));
    EXPECT_EQ(relay.request.fields.find("Sallyport-Enroll"), "id.secret");
    relay.ready = false;
    relay.tunnel->close({Errc::internal, "test"});
    ASSERT_TRUE(until([&] { return relay.ready; }));
    EXPECT_FALSE(relay.request.fields.contains("Sallyport-Enroll")) << "the secret is used once";
    EXPECT_EQ(kept, 1);
}

TEST_F(AgentTest, ProbesTheTargetsOfItsRoutesAndReports) {
    test::LoopbackOrigin home(loop, test::PretendedHomeAssistant{});
    start(setup_for({test::make_target("homeassistant", home.url("http"))}));
    std::string routes = format_control_message(RoutesMessage{{{"https://home.example.org/", "homeassistant"}}});
    routes.pop_back();
    relay.tunnel->send_control(routes);
    ASSERT_TRUE(until([&] { return relay.control.size() >= 2; }));
    const auto message = parse_control_message(relay.control.back());
    ASSERT_TRUE(message);
    const TargetReport report = std::get<TargetsMessage>(*message).targets.front();
    EXPECT_TRUE(report.home_assistant);
    EXPECT_EQ(report.forwarded_for, ForwardedForSupport::refused);
}

TEST_F(AgentTest, StopsInOrder) {
    test::LoopbackOrigin origin(loop, {});
    start(setup_for({tcp("x", origin)}));
    test::VisitorStream visitor;
    ASSERT_TRUE(visitor.open(*relay.tunnel, "x", "hello"));
    ASSERT_TRUE(until([&] { return agent->open_streams() == 1; }));
    bool stopped = false;
    relay.control.clear();
    agent->stop(std::chrono::seconds(10), [&] { stopped = true; });
    ASSERT_TRUE(until([&] { return !relay.control.empty(); }));
    EXPECT_TRUE(std::holds_alternative<DrainMessage>(*parse_control_message(relay.control.front())));
    EXPECT_FALSE(stopped) << "a stream is open";
    visitor.stream->reset();
    ASSERT_TRUE(until([&] { return stopped && relay.closed; }));
    agent.reset();
}

TEST_F(AgentTest, StopsAtOnceWithoutATunnel) {
    relay.answer = test::http_answer(503, "");
    agent = std::make_unique<Agent>(loop, workers, log, setup_for({}));
    agent->start();
    bool stopped = false;
    agent->stop(std::chrono::seconds(10), [&] { stopped = true; });
    EXPECT_TRUE(stopped);
}

TEST_F(AgentTest, DiesWithStreamsOpen) {
    test::LoopbackOrigin origin(loop, {});
    start(setup_for({tcp("x", origin)}));
    test::VisitorStream visitor;
    ASSERT_TRUE(visitor.open(*relay.tunnel, "x", "hello"));
    ASSERT_TRUE(until([&] { return agent->open_streams() == 1; }));
    agent.reset();
    EXPECT_TRUE(until([&] { return relay.closed; }));
    EXPECT_TRUE(visitor.reset);
}

}  // namespace
}  // namespace sallyport
