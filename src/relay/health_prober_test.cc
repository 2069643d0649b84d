#include "relay/health_prober.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace sallyport::relay {
namespace {

using namespace std::chrono_literals;
using State = RouteHealth::State;

// A target at the far end of the tunnel, as the prober's streams find it.
struct Far {
    enum class Does { accept, refuse, hang } does = Does::accept;
    std::string answer;          // to a request
    std::string asked;           // the last request
    std::size_t opened = 0;
    std::size_t open = 0;
    std::size_t most_open = 0;
    std::size_t ended = 0;       // in order, by us
};

class FakeStream final : public Stream {
public:
    FakeStream(Loop& loop, Far& far, Stream::Owner& owner) : far_(far), owner_(&owner), turn_(loop, [this] { act(); }) {
        ++far_.opened;
        far_.most_open = std::max(far_.most_open, ++far_.open);
        turn_.start(0ms);
    }
    ~FakeStream() override { reset(); }
    void wake() override {
        if (!owner_ || over_) return;
        std::byte room[4096];
        const Stream::Pulled pulled = owner_->on_stream_pull(room);
        asked_.append(as_text(Octets(room, pulled.octets)));
        if (!pulled.end) return;
        ++far_.ended;
        ending_ = true;
        turn_.start(0ms);
    }
    void consumed(ByteCount) override {}
    void reset() override {
        owner_ = nullptr;
        end();
    }

private:
    void end() {
        if (!std::exchange(over_, true)) --far_.open;
        turn_.cancel();
    }
    void act() {
        if (ending_) {  // both directions are
            end();
            return owner_->on_stream_end();
        }
        if (far_.does == Far::Does::hang) return;
        if (far_.does == Far::Does::refuse) {
            end();
            return owner_->on_stream_refused({502, "connection_refused", "nobody there"});
        }
        owner_->on_stream_accepted();
        if (asked_.empty() || !owner_) return;
        far_.asked = asked_;
        owner_->on_stream_octets(as_octets(far_.answer));
        if (owner_) owner_->on_stream_end();
    }
    Far& far_;
    Stream::Owner* owner_;
    std::string asked_;
    bool ending_ = false;
    bool over_ = false;
    Timer turn_;
};

class HealthProberTest : public testing::Test {
protected:
    template <class Condition>
    void until(Condition&& condition) {
        const TimePoint deadline = Clock::now() + 20s;
        while (!condition()) {
            ASSERT_LT(Clock::now(), deadline) << "it didn't happen";
            loop_.turn(1ms);
        }
    }
    RouteHealth health(const std::string& route) { return board_.find(route, "a").value_or(RouteHealth{}); }
    void connect(const std::vector<HealthCheck>& checks) {
        prober_.on_online("a", "home");
        prober_.follow("a", checks);
    }

    Loop loop_;
    Log log_{LogLevel::error, LogFormat::key_value};
    HealthBoard board_;
    Far far_;
    HealthProber prober_{loop_, log_, board_,
                         {.open = [this](const std::string&, const OpenRequest&, Stream::Owner& owner) -> Result<StreamPtr> {
                              return std::make_unique<FakeStream>(loop_, far_, owner);
                          },
                          .host_of = [](const std::string&, const std::string& target) { return target + ".lan:80"; }},
                         1000};
};

TEST_F(HealthProberTest, ConnectsAtOnceAndEndsInOrder) {
    prober_.set_interval(1h);
    EXPECT_FALSE(board_.find("r", "a"));
    connect({{"r", "h/", "t"}, {"s", "i/", "t"}});
    until([&] { return health("r").state == State::healthy && health("s").state == State::healthy; });
    EXPECT_EQ(far_.opened, 1u) << "one for both";
    EXPECT_EQ(far_.ended, 1u);
    EXPECT_TRUE(far_.asked.empty());
    prober_.follow("a", {{"r", "h/", "t"}, {"s", "i/", "u"}});
    until([&] { return far_.opened == 2; });
    prober_.follow("a", {{"r", "h/", "t"}});
    EXPECT_EQ(health("s").probed_at, std::nullopt);
    prober_.on_away("a");
    EXPECT_EQ(far_.open, 0u) << "what was under way is cancelled";
}

TEST_F(HealthProberTest, AsksForThePathAndLooksAtTheStatus) {
    const struct {
        const char* answer;
        State state;
        std::string_view cause;
    } rows[] = {
        {"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", State::healthy, ""},
        {"HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 302 Found\r\nContent-Length: 0\r\n\r\n", State::healthy, ""},
        {"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", State::unhealthy, "health_status"},
        {"HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n", State::unhealthy, "health_status"},
        {"HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n", State::unhealthy, "health_path_login"},
        {"SSH-2.0-x\r\n\r\n", State::unhealthy, "origin_bad_answer"},
    };
    prober_.set_interval(1h);
    connect({});
    int route = 0;
    for (const auto& row : rows) {
        far_.answer = row.answer;
        const std::string id = "r" + std::to_string(route++);
        prober_.follow("a", {{id, "h/", "t", "/" + id}});
        until([&] { return health(id).state != State::unknown; });
        EXPECT_EQ(health(id).state, row.state) << row.answer;
        EXPECT_EQ(health(id).cause, row.cause) << row.answer;
        EXPECT_TRUE(far_.asked.starts_with("GET /" + id + " HTTP/1.1\r\nHost: t.lan:80\r\n")) << far_.asked;
    }
}

TEST_F(HealthProberTest, APathThatNeedsALoginIsAskedOnce) {
    far_.answer = "HTTP/1.1 401 No\r\nContent-Length: 0\r\n\r\n";
    prober_.set_interval(1ms);
    connect({{"r", "h/", "t", "/api"}});
    until([&] { return health("r").cause == "health_path_login"; });
    far_.asked.clear();
    const std::size_t before = far_.opened;
    until([&] { return far_.opened > before + 3; });
    EXPECT_TRUE(far_.asked.empty());
    EXPECT_EQ(health("r").cause, "health_path_login");
}

TEST_F(HealthProberTest, SinceIsThatOfTheChangeAndNotOfTheLastProbe) {
    prober_.set_interval(1ms);
    far_.does = Far::Does::refuse;
    connect({{"r", "h/", "t"}});
    until([&] { return health("r").state == State::unhealthy; });
    EXPECT_EQ(health("r").cause, "target_refused");
    EXPECT_EQ(health("r").hop, HealthHop::target);
    const WallTime since = health("r").since;
    until([&] { return *health("r").probed_at > since; });
    EXPECT_EQ(health("r").since, since);
    far_.does = Far::Does::accept;
    until([&] { return health("r").state == State::healthy; });
    EXPECT_GT(health("r").since, since);
}

TEST_F(HealthProberTest, HasABoundedNumberUnderWay) {
    prober_.set_interval(1h);
    far_.does = Far::Does::hang;
    std::vector<HealthCheck> checks;
    for (int i = 0; i < 100; ++i) checks.push_back({"r" + std::to_string(i), "h/", "t" + std::to_string(i)});
    connect(checks);
    until([&] { return far_.open == kProbesInFlight; });
    for (int i = 0; i < 20; ++i) loop_.turn(1ms);
    EXPECT_EQ(far_.most_open, kProbesInFlight);
    prober_.on_away("a");
    EXPECT_EQ(far_.open, 0u);
    far_.does = Far::Does::accept;
    prober_.on_online("a", "home");
    until([&] { return std::ranges::all_of(checks, [&](const HealthCheck& check) { return health(check.route_id).state == State::healthy; }); });
}

TEST_F(HealthProberTest, TheIntervalStretchesWithTheNumberOfTargets) {
    prober_.set_interval(10ms);
    std::vector<HealthCheck> checks;
    for (int i = 0; i < 500; ++i) checks.push_back({"r" + std::to_string(i), "h/", "t" + std::to_string(i)});
    connect(checks);
    EXPECT_EQ(prober_.effective_interval(), 500ms) << "1000 a second";
    prober_.on_away("a");
    EXPECT_EQ(prober_.effective_interval(), 10ms);
}

TEST_F(HealthProberTest, AnAgentThatStaysAwayIsToldAndOneThatIsBackSoonIsNot) {
    prober_.set_interval(1h);
    connect({{"r", "h/", "t"}});
    until([&] { return health("r").state == State::healthy; });
    prober_.on_away("a");
    prober_.on_online("a", "home");
    for (int i = 0; i < 10; ++i) loop_.turn(1ms);
    EXPECT_EQ(health("r").state, State::healthy);
    EXPECT_EQ(far_.opened, 1u) << "a resumed session is no reason to look again";
    prober_.on_away("a");
    until([&] { return health("r").cause == "agent_offline"; });
    EXPECT_EQ(health("r").hop, HealthHop::agent);
    prober_.on_online("a", "home");
    until([&] { return health("r").state == State::healthy; });
    prober_.on_away("a");
    prober_.follow("a", {});
    EXPECT_FALSE(prober_.knows("a"));
    EXPECT_FALSE(board_.find("r", "a"));
}

}  // namespace
}  // namespace sallyport::relay
