// Two loops in one thread, driven by hand; agents are real tunnels over socket pairs.
#include "relay/loop_agents.h"

#include <gtest/gtest.h>
#include <sys/socket.h>

#include <algorithm>
#include <optional>

#include "net/tcp_transport.h"
#include "relay/agents.h"
#include "wire/control_message.h"

namespace sallyport::relay {
namespace {

using namespace std::chrono_literals;

class EchoTarget final : public Stream::Owner {  // at the agent: sends back what comes
public:
    explicit EchoTarget(std::unique_ptr<IncomingStream> stream) : stream_(std::move(stream)) {
        stream_->set_owner(*this);
        stream_->accept();
    }
    void on_stream_accepted() override {}
    void on_stream_refused(const Refusal&) override {}
    void on_stream_octets(Octets octets) override {
        held_.append(as_text(octets));
        stream_->consumed(octets.size());
        stream_->wake();
    }
    void on_stream_end() override {}
    void on_stream_reset(const Error&) override {}
    Stream::Pulled on_stream_pull(MutableOctets room) override {
        const std::size_t n = held_.copy(reinterpret_cast<char*>(room.data()), room.size());
        held_.erase(0, n);
        return {n, false};
    }

private:
    std::unique_ptr<IncomingStream> stream_;
    std::string held_;
};

// The agent's side of a connection that the relay is judging: reads the answer, then speaks the tunnel. Or says nothing at all.
class FakeAgent final : private Transport::Owner, private Tunnel::Owner {
public:
    FakeAgent(Loop& loop, Descriptor connected, const TunnelSettings& settings = {})
        : loop_(loop), settings_(settings), transport_(make_plain_transport(loop, std::move(connected))) {
        transport_->set_owner(this);
    }
    ~FakeAgent() {
        if (tunnel_ && !closed) tunnel_->close({Errc::end_of_stream, "test"});
    }
    void say_hello(unsigned concurrency_limit = 100) {
        HelloMessage hello{.version = "test", .concurrency_limit = concurrency_limit, .targets = {}};
        hello.targets.push_back({.name = "web", .scheme = "http", .note = "", .authority = "127.0.0.1:80"});
        std::string line = format_control_message(hello);
        line.pop_back();
        tunnel_->send_control(line);
        ++hellos;
    }
    bool has_tunnel() const { return tunnel_ != nullptr; }
    Tunnel& tunnel() { return *tunnel_; }
    // Another connection for the same session; what the relay answers comes into `answer`.
    void take_connection(Descriptor connected) {
        answer.clear();
        connection_ended = false;
        transport_ = make_plain_transport(loop_, std::move(connected));
        transport_->set_owner(this);
    }
    std::string field(std::string_view name) const {
        const std::size_t at = answer.find(std::string(name) + ": ");
        if (at == std::string::npos) return {};
        const std::size_t begin = at + name.size() + 2;
        return answer.substr(begin, answer.find("\r\n", begin) - begin);
    }
    void fall_silent() { transport_->set_owner(nullptr); }

    std::string answer;
    std::string session;  // its id
    std::size_t hellos = 0;
    std::vector<RouteNotice> routes;
    std::optional<RotatedMessage> rotated;
    bool closed = false;
    bool connection_ended = false;
    bool speaks = true;

private:
    void on_receive(MutableOctets octets) override {
        answer.append(as_text(octets));
        const std::size_t end = answer.find("\r\n\r\n");
        if (end == std::string::npos || !answer.starts_with("HTTP/1.1 101") || !speaks) return;
        std::string rest = answer.substr(end + 4);
        transport_->set_owner(nullptr);
        const std::string id = field("Sallyport-Session");
        if (tunnel_ && id == session) {
            EXPECT_TRUE(tunnel_->resume(std::move(transport_), std::move(rest), std::stoull(field("Sallyport-Received"))));
            return;
        }
        session = id;
        tunnel_ = Tunnel::make(loop_, TunnelRole::agent, std::move(transport_), std::move(rest), settings_, *this);
    }
    void on_receive_end() override { connection_ended = true; }
    void on_send_ready() override {}
    void on_transport_error(const Error&) override { connection_ended = true; }

    void on_tunnel_ready() override { say_hello(); }
    void on_tunnel_control(std::string_view line) override {
        const auto message = parse_control_message(line);
        if (const auto* told = std::get_if<RoutesMessage>(&*message)) routes = told->routes;
        if (const auto* told = std::get_if<RotatedMessage>(&*message)) rotated = *told;
    }
    void on_tunnel_stream(OpenRequest, std::unique_ptr<IncomingStream> stream) override {
        targets_.push_back(std::make_unique<EchoTarget>(std::move(stream)));
    }
    void on_tunnel_closed(const Error&) override { closed = true; }

    Loop& loop_;
    const TunnelSettings settings_;
    TransportPtr transport_;
    std::unique_ptr<Tunnel> tunnel_;
    std::vector<std::unique_ptr<EchoTarget>> targets_;
};

class Visitor final : public Stream::Owner {
public:
    void on_stream_accepted() override {}
    void on_stream_refused(const Refusal& refusal) override { refused = refusal.status; }
    void on_stream_octets(Octets octets) override {
        received.append(as_text(octets));
        stream->consumed(octets.size());
    }
    void on_stream_end() override {}
    void on_stream_reset(const Error& error) override { reset = error.code; }
    Stream::Pulled on_stream_pull(MutableOctets room) override {
        const std::size_t n = sends.copy(reinterpret_cast<char*>(room.data()), room.size());
        sends.erase(0, n);
        return {n, false};
    }
    StreamPtr stream;
    std::string sends = "hello";
    std::string received;
    std::optional<int> refused;
    std::optional<Errc> reset;
};

class LoopAgentsTest : public testing::Test {
protected:
    explicit LoopAgentsTest(const TunnelSettings& settings = {}) : settings_(settings) { set_directory(store::Enabled::yes); }
    ~LoopAgentsTest() override {
        std::size_t ended = 0;
        for (std::size_t i = 0; i < 2; ++i)
            loops_[i].post([&, i] { agents_.at(i).close_all([&] { ++ended; }); });
        until([&] { return ended == 2; });
        agent_.reset();
        second_.reset();
        turn();
    }

    void turn() {
        for (Loop& loop : loops_) loop.turn(1ms);
    }
    template <class Condition>
    void until(Condition&& condition) {
        const TimePoint deadline = Clock::now() + 20s;
        while (!condition()) {
            ASSERT_LT(Clock::now(), deadline) << "it didn't happen";
            turn();
        }
    }

    void set_directory(store::Enabled enabled, std::vector<std::string> hostnames = {"home.example.org"}) {
        store::Snapshot snapshot;
        snapshot.agents = {{.id = {kId}, .name = "home", .enabled = enabled, .concurrency_limit = 2}};
        snapshot.credentials = {{.id = {"key"}, .agent = {kId}}};
        for (const std::string& name : hostnames) snapshot.routes.push_back({.id = {name}, .hostname = name, .agent = {kId}, .target = "web"});
        agents_.set_directory(std::make_shared<const Directory>(std::move(snapshot), PublicPort{}));
        turn();
    }

    // The agent's end of a connection that was handed to the relay; judged there at once.
    Descriptor admit(SessionRequest session = {}, const std::string& credential = "key", const std::string& agent_id = kId) {
        int pair[2];
        EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair), 0);
        home().admit({{agent_id, "home", credential, ""},
                      "dGhlIHNhbXBsZSBub25jZQ==",
                      make_plain_transport(home().loop(), Descriptor(pair[1])),
                      "",
                      std::move(session)});
        return Descriptor(pair[0]);
    }
    std::unique_ptr<FakeAgent> arrive() { return std::make_unique<FakeAgent>(loops_[0], admit(), settings_); }
    void connect() {
        agent_ = arrive();
        until([&] { return here().agent(kId) && away().agent(kId); });
    }

    static constexpr const char* kId = "a1";
    const TunnelSettings settings_;
    Loop loops_[2];
    Log log_{LogLevel::error, LogFormat::key_value};
    std::vector<store::AgentId> seen_;
    Agents agents_{{&loops_[0], &loops_[1]}, log_, settings_, 10, [this](std::vector<store::AgentId> ids) {
                       seen_.insert(seen_.end(), ids.begin(), ids.end());
                   }};
    LoopAgents& home() { return agents_.at(agents_.owner_of(kId)); }
    LoopAgents& here() { return home(); }
    LoopAgents& away() { return agents_.at(1 - agents_.owner_of(kId)); }
    std::unique_ptr<FakeAgent> agent_;
    std::unique_ptr<FakeAgent> second_;
};

TEST_F(LoopAgentsTest, IsOnlineOnEveryLoopFromHelloOn) {
    EXPECT_FALSE(here().agent(kId));
    connect();
    EXPECT_NE(agent_->answer.find("Sallyport-Session: "), std::string::npos);
    EXPECT_NE(agent_->answer.find("Sec-WebSocket-Protocol: sallyport.1"), std::string::npos);
    const auto view = away().agent(kId);
    EXPECT_EQ(view->name, "home");
    ASSERT_EQ(view->targets.size(), 1u);
    EXPECT_EQ(view->targets[0].authority, "127.0.0.1:80");
    until([&] { return !agent_->routes.empty(); });
    EXPECT_EQ(agent_->routes[0].url, "https://home.example.org/");
    until([&] { return !seen_.empty(); });
}

TEST_F(LoopAgentsTest, OpensStreamsFromEveryLoop) {
    connect();
    for (LoopAgents* loop : {&here(), &away()}) {
        Visitor visitor;
        auto opened = loop->open(kId, {"web", ""}, visitor);
        ASSERT_TRUE(opened);
        visitor.stream = std::move(*opened);
        visitor.stream->wake();
        until([&] { return visitor.received == "hello"; });
    }
}

TEST_F(LoopAgentsTest, TellsWhenTheAgentIsNotConnected) {
    Visitor visitor;
    EXPECT_EQ(here().open(kId, {"web", ""}, visitor).error().code, Errc::unreachable);
    EXPECT_EQ(away().open(kId, {"web", ""}, visitor).error().code, Errc::unreachable);
    EXPECT_EQ(here().open("nobody", {"web", ""}, visitor).error().code, Errc::unreachable);
    EXPECT_FALSE(away().try_permit(kId));
    std::optional<Errc> outcome;
    const auto wait = away().wait_permit(kId, 1s, [&](Result<std::unique_ptr<Origins::Permit>> permit) { outcome = permit.error().code; });
    until([&] { return outcome.has_value(); });
    EXPECT_EQ(outcome, Errc::unreachable);
}

TEST_F(LoopAgentsTest, WakesWhoWaitsForTheAgent) {
    std::optional<bool> online;
    std::optional<bool> gave_up;
    const auto waits = away().wait_online(kId, 20s, [&](bool on) { online = on; });
    const auto in_vain = away().wait_online("nobody", 1ms, [&](bool on) { gave_up = on; });
    auto cancelled = away().wait_online(kId, 1ms, [](bool) { FAIL() << "called after its end"; });
    cancelled.reset();
    connect();
    until([&] { return online.has_value() && gave_up.has_value(); });
    EXPECT_TRUE(*online);
    EXPECT_FALSE(*gave_up);
}

TEST_F(LoopAgentsTest, CountsPermitsOverAllLoopsUpToTheOwnersLimit) {
    connect();
    auto first = here().try_permit(kId);
    auto second = away().try_permit(kId);
    EXPECT_TRUE(first && second);
    EXPECT_FALSE(here().try_permit(kId)) << "the directory allows 2, though the agent said 100";
    first.reset();
    EXPECT_TRUE(away().try_permit(kId));
}

TEST_F(LoopAgentsTest, CutsAnAgentThatWasDisabled) {
    connect();
    set_directory(store::Enabled::no);
    until([&] { return agent_->closed && !away().agent(kId) && !here().agent(kId); });
    second_ = arrive();
    until([&] { return second_->answer.starts_with("HTTP/1.1 403"); });
    EXPECT_NE(second_->answer.find("Sallyport-Refused: disabled"), std::string::npos);
}

TEST_F(LoopAgentsTest, ResetsStreamsOfBothLoopsWhenTheTunnelEnds) {
    connect();
    Visitor near;
    Visitor far;
    near.stream = std::move(here().open(kId, {"web", ""}, near).value());
    far.stream = std::move(away().open(kId, {"web", ""}, far).value());
    far.stream->wake();
    until([&] { return far.received == "hello"; });
    set_directory(store::Enabled::no);
    until([&] { return near.reset.has_value() && far.reset.has_value(); });
}

TEST_F(LoopAgentsTest, TellsChangedRoutesOnly) {
    connect();
    until([&] { return agent_->routes.size() == 1; });
    set_directory(store::Enabled::yes, {"home.example.org", "radio.example.org"});
    until([&] { return agent_->routes.size() == 2; });
}

TEST_F(LoopAgentsTest, RefusesANewcomerWhileTheOldTunnelAnswers) {
    connect();
    second_ = arrive();
    until([&] { return second_->answer.starts_with("HTTP/1.1 409"); });
    EXPECT_NE(second_->answer.find("Sallyport-Refused: duplicate_live"), std::string::npos);
    EXPECT_FALSE(agent_->closed);
    EXPECT_EQ(home().counters().refused(AdmissionRefusal::duplicate_live), 1u);
}

TEST_F(LoopAgentsTest, LetsTheRefusedNewcomerInOnceTheOwnerHasDecided) {
    connect();
    home().prefer_newcomer(kId, "");
    second_ = arrive();
    until([&] { return second_->answer.starts_with("HTTP/1.1 409"); });
    std::vector<LiveAgent> live;
    home().append_live("", live);
    ASSERT_TRUE(live.size() == 1 && live[0].refused) << "what was decided before it came was about nobody";
    EXPECT_EQ(live[0].refused->attempts, 1u);
    home().prefer_newcomer(kId, "192.0.2.9");
    second_ = arrive();
    until([&] { return second_->answer.starts_with("HTTP/1.1 409"); });
    home().prefer_newcomer(kId, live[0].refused->peer);
    EXPECT_FALSE(agent_->closed) << "it serves until the other one is there";
    Visitor visitor;
    visitor.stream = std::move(home().open(kId, {"web", ""}, visitor).value());
    second_ = arrive();
    until([&] { return agent_->closed && second_->has_tunnel() && here().agent(kId); });
    EXPECT_TRUE(visitor.reset);
    // The other one is the newcomer now, and nothing is left of the decision.
    agent_ = arrive();
    until([&] { return agent_->answer.starts_with("HTTP/1.1 409"); });
    EXPECT_FALSE(second_->closed);
}

TEST_F(LoopAgentsTest, ANewCredentialTakesThePlaceOfTheReplacedOne) {
    connect();
    store::Snapshot snapshot;
    snapshot.agents = {{.id = {kId}, .name = "home"}};
    snapshot.credentials = {{.id = {"key"}, .agent = {kId}, .retires_at = wall_now() + 1h}, {.id = {"new"}, .agent = {kId}}};
    agents_.set_directory(std::make_shared<const Directory>(std::move(snapshot), PublicPort{}));
    turn();
    until([&] { return agent_->rotated.has_value(); });
    EXPECT_GT(agent_->rotated->deadline, 3500s);
    second_ = std::make_unique<FakeAgent>(loops_[0], admit({}, "new"), settings_);
    until([&] { return agent_->closed && second_->has_tunnel() && here().agent(kId); });
    agent_ = arrive();  // with the old one
    until([&] { return agent_->answer.starts_with("HTTP/1.1 409"); });
}

TEST_F(LoopAgentsTest, LetsANewcomerTakeThePlaceOfASilentOne) {
    agent_ = arrive();
    agent_->speaks = false;  // accepted, and then gone without a word
    until([&] { return agent_->answer.starts_with("HTTP/1.1 101"); });
    const TimePoint before = Clock::now();
    second_ = arrive();
    until([&] { return here().agent(kId) != nullptr; });
    EXPECT_GE(Clock::now() - before, kTakeoverPatience);
    EXPECT_TRUE(second_->has_tunnel());
}

// With sessions that outlive their connections.
class ResumingAgentsTest : public LoopAgentsTest {
protected:
    ResumingAgentsTest() : LoopAgentsTest({.ack_delay = 1ms, .resume_window = 20s}) {}
    void open(LoopAgents& loop, Visitor& visitor) {
        visitor.stream = std::move(loop.open(kId, {"web", ""}, visitor).value());
        visitor.stream->wake();
    }
    // As an agent does it whose connection is gone or silent.
    void resume(const std::string& credential = "key") {
        const ByteCount received = agent_->tunnel().freeze();
        agent_->take_connection(admit({agent_->session, received}, credential));
        until([&] { return agent_->answer.starts_with("HTTP/1.1 101"); });
    }
    bool is_online() {
        return std::ranges::all_of(std::initializer_list<LoopAgents*>{&here(), &away()},
                                   [](LoopAgents* loop) { return loop->agent(kId) && !loop->agent(kId)->lost; });
    }
    bool is_lost() {
        return std::ranges::all_of(std::initializer_list<LoopAgents*>{&here(), &away()},
                                   [](LoopAgents* loop) { return loop->agent(kId) && loop->agent(kId)->lost; });
    }
};

TEST_F(ResumingAgentsTest, VisitorsDontNoticeALostConnection) {
    connect();
    Visitor before, meanwhile;
    open(away(), before);
    until([&] { return before.received == "hello"; });
    agent_->tunnel().freeze();
    until([&] { return is_lost(); });
    std::optional<bool> online;
    const auto wait = away().wait_online(kId, 20s, [&](bool on) { online = on; });
    open(here(), meanwhile);
    before.sends = " again";
    before.stream->wake();
    resume();
    until([&] { return before.received == "hello again" && meanwhile.received == "hello"; });
    EXPECT_FALSE(before.reset || meanwhile.reset);
    until([&] { return online.has_value(); });
    EXPECT_TRUE(*online && is_online());
    EXPECT_EQ(agent_->hellos, 1u);
}

TEST_F(ResumingAgentsTest, ShowsALostAgentAsNotConnected) {
    connect();
    std::optional<std::size_t> live;
    const auto count = [&] {
        live.reset();
        agents_.collect_live("", [&](std::vector<LiveAgent> found) { live = found.size(); });
        until([&] { return live.has_value(); });
        return *live;
    };
    EXPECT_EQ(count(), 1u);
    agent_->tunnel().freeze();
    until([&] { return is_lost(); });
    EXPECT_EQ(count(), 0u);
    resume();
    until([&] { return is_online(); });
    EXPECT_EQ(count(), 1u);
}

TEST_F(ResumingAgentsTest, ResumesInPlaceOfAConnectionThatStillLooksAlive) {
    connect();
    for (int i = 0; i < 5; ++i) {
        const ByteCount received = agent_->tunnel().freeze();
        const TimePoint asked = Clock::now();
        agent_->take_connection(admit({agent_->session, received}));  // before the relay can see the end of the old one
        until([&] { return agent_->answer.starts_with("HTTP/1.1 101"); });
        EXPECT_LT(Clock::now() - asked, kTakeoverPatience);
    }
    Visitor visitor;
    open(here(), visitor);
    until([&] { return visitor.received == "hello"; });
    EXPECT_TRUE(is_online());
}

TEST_F(ResumingAgentsTest, AnAgentThatBeginsAnewTakesThePlaceOfALostSessionAtOnce) {
    connect();
    Visitor visitor;
    open(here(), visitor);
    until([&] { return visitor.received == "hello"; });
    agent_->tunnel().freeze();
    until([&] { return is_lost(); });
    const TimePoint asked = Clock::now();
    second_ = arrive();
    until([&] { return second_->answer.starts_with("HTTP/1.1 101") && visitor.reset; });
    EXPECT_LT(Clock::now() - asked, kTakeoverPatience);
    EXPECT_NE(second_->session, agent_->session);
    until([&] { return is_online(); });
    // The old process comes back too late: its session is over, and another one is alive.
    agent_->speaks = false;
    agent_->take_connection(admit({agent_->session, 0}));
    until([&] { return agent_->answer.starts_with("HTTP/1.1 409"); });
}

TEST_F(ResumingAgentsTest, ANewcomerWithoutTheSessionDoesNotThrowOutALiveOne) {
    connect();
    second_ = std::make_unique<FakeAgent>(loops_[0], admit({"another-session", 0}), settings_);
    until([&] { return second_->answer.starts_with("HTTP/1.1 409"); });
    EXPECT_FALSE(agent_->closed);
}

TEST_F(ResumingAgentsTest, ALateAttemptDoesNotThrowOutTheOneThatWon) {
    connect();
    Visitor visitor;
    open(here(), visitor);
    until([&] { return visitor.received == "hello"; });
    second_ = std::make_unique<FakeAgent>(loops_[0], admit({agent_->session, 0}), settings_);  // octets that were acknowledged since
    until([&] { return second_->answer.starts_with("HTTP/1.1 409"); });
    visitor.sends = " again";
    visitor.stream->wake();
    until([&] { return visitor.received == "hello again"; });
}

TEST_F(ResumingAgentsTest, ALostSessionWhoseCountCannotBeIsReplaced) {
    connect();
    agent_->tunnel().freeze();
    until([&] { return is_lost(); });
    second_ = std::make_unique<FakeAgent>(loops_[0], admit({agent_->session, 1'000'000'000}), settings_);
    until([&] { return second_->answer.starts_with("HTTP/1.1 101") && is_online(); });
    EXPECT_NE(second_->session, agent_->session);
}

TEST_F(ResumingAgentsTest, ARevokedAgentCannotResume) {
    connect();
    const ByteCount received = agent_->tunnel().freeze();
    until([&] { return is_lost(); });
    set_directory(store::Enabled::no);
    until([&] { return !here().agent(kId) && !away().agent(kId); });
    agent_->take_connection(admit({agent_->session, received}));
    until([&] { return agent_->answer.starts_with("HTTP/1.1 403"); });
    set_directory(store::Enabled::yes);
    agent_->take_connection(admit({agent_->session, received}, "revoked key"));
    until([&] { return agent_->answer.starts_with("HTTP/1.1 403"); });
    agent_->take_connection(admit({agent_->session, received}, "key", "nobody"));
    until([&] { return agent_->answer.starts_with("HTTP/1.1 403"); });
}

TEST_F(ResumingAgentsTest, AnAgentThatSaidItStopsIsNotWaitedFor) {
    connect();
    std::string drain = format_control_message(DrainMessage{"test", 1s});
    drain.pop_back();
    agent_->tunnel().send_control(drain);
    until([&] { return !agent_->tunnel().waiting_since(); });  // it has come there
    agent_->tunnel().freeze();  // its close frame was lost
    until([&] { return !here().agent(kId) && !away().agent(kId); });
}

TEST_F(ResumingAgentsTest, AnEndInOrderIsAtOnce) {
    connect();
    agent_->tunnel().close({Errc::end_of_stream, "test"});
    until([&] { return !here().agent(kId) && !away().agent(kId); });
}

TEST_F(LoopAgentsTest, ShowsWhatIsConnected) {
    connect();
    std::optional<std::vector<LiveAgent>> live;
    agents_.collect_live("", [&](std::vector<LiveAgent> found) { live = std::move(found); });
    until([&] { return live.has_value(); });
    ASSERT_EQ(live->size(), 1u);
    EXPECT_EQ(live->front().agent_id, kId);
    EXPECT_EQ(live->front().version, "test");
}

}  // namespace
}  // namespace sallyport::relay
