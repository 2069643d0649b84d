// idle_agents: many agents in one process, each with its own key, enrolment and connection, for the memory row: the relay can't
// tell them from as many homes. Reads enrolment codes from standard input, one a line; a few dial at once; says
// "connected COUNT" when all have a tunnel, then keeps them until it is killed. Says "up COUNT" whenever that many have one
// that hadn't a moment ago, or the other way round: what a restart of the relay takes.
#include <fmt/format.h>

#include <algorithm>
#include <iostream>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "agent/agent.h"
#include "agent/enrolment.h"
#include "agent/relay_dialler.h"
#include "base/log.h"
#include "net/loop.h"
#include "net/worker.h"

namespace {

using namespace sallyport;

constexpr std::chrono::milliseconds kLookEvery{100};  // how many are connected
constexpr std::size_t kDialling = 20;  // at once: more would only queue up in the relay's handshakes

// Homes have an address each. All of these have one, which has 28,000 ports towards an address of the relay, each gone for a minute
// once it was used: so they dial the relay by as many of its loopback addresses as it takes.
constexpr std::size_t kAgentsAnAddress = 500;

// `number` of the agent that will dial it.
Url spread(Url relay, std::size_t number) {
    relay.host = fmt::format("127.0.0.{}", 1 + number / kAgentsAnAddress);
    relay.host_kind = HostKind::ipv4;
    return relay;
}

// One for all who dial the same address: a process of its own would hold one, and not 10,000 in turn.
using SharedTls = std::map<std::string, std::shared_ptr<const ClientTls>>;

Result<AgentSetup> make_setup(const std::string& line, std::size_t number, SharedTls& shared) {
    Result<EnrolmentCode> code = parse_enrolment_code(line);
    if (!code) return std::unexpected(code.error());
    const Result<Url> told = parse_relay_url(code->public_url);
    if (!told) return std::unexpected(told.error());
    const Url url = spread(*told, number);
    std::shared_ptr<const ClientTls>& tls = shared[url.host];
    if (!tls) {
        auto made = make_relay_tls(url, code->pin, {});
        if (!made) return std::unexpected(made.error());
        tls = std::move(*made);
    }
    Result<Url> origin = parse_target_url("tcp://127.0.0.1:9");  // never asked for, and no Home Assistant to look for
    if (!origin) return std::unexpected(origin.error());
    Target target;
    target.name = "idle";
    target.url = *origin;
    AgentSetup setup;
    setup.relay = RelayEndpoint{url, tls, Ed25519PrivateKey::generate(), enrol_field(*code)};
    setup.targets = TargetTable{{target}, TargetTable::AnyTarget::refused};
    setup.tunnel.resume_window = std::chrono::seconds(60);  // as `sallyport agent` has it
    return setup;
}

// Keeps at most kDialling agents without a tunnel, until all have one.
class Crowd final : private AgentObserver {
public:
    Crowd(Loop& loop, Workers& workers, Log& log) : loop_(loop), workers_(workers), log_(log), look_(loop, [this] { look(); }) {}

    void add(AgentSetup setup) {
        AgentObserver& observer = *this;
        agents_.push_back(std::make_unique<Agent>(loop_, workers_, log_, std::move(setup), &observer));
    }
    void start() {
        while (started_ < agents_.size() && started_ < connected_ + kDialling) agents_[started_++]->start();
    }

private:
    void on_agent_connected(const Url&) override {
        ++connected_;  // an agent that had to dial again counts twice; the bench asks the relay how many there are
        start();
        if (connected_ != agents_.size()) return;
        fmt::print("connected {}\n", connected_);
        std::fflush(stdout);
        look();
    }
    void look() {
        look_.start(kLookEvery);
        const auto up = static_cast<std::size_t>(std::ranges::count_if(agents_, [](const auto& agent) { return agent->is_connected(); }));
        if (up == up_) return;
        up_ = up;
        fmt::print("up {}\n", up);
        std::fflush(stdout);
    }
    void on_agent_routes(const std::vector<RouteNotice>&) override {}

    Loop& loop_;
    Workers& workers_;
    Log& log_;
    std::vector<std::unique_ptr<Agent>> agents_;
    std::size_t started_ = 0;
    std::size_t connected_ = 0;
    std::size_t up_ = 0;
    Timer look_;
};

}  // namespace

int main() {
    Log log{LogLevel::warn, LogFormat::key_value};
    Loop loop;
    Workers workers{2, 100'000};
    Crowd crowd{loop, workers, log};
    std::size_t number = 0;
    SharedTls shared;
    for (std::string line; std::getline(std::cin, line);) {
        Result<AgentSetup> setup = make_setup(line, number++, shared);
        if (!setup) {
            fmt::print(stderr, "idle_agents: {}\n", setup.error().detail);
            return 2;
        }
        crowd.add(std::move(*setup));
    }
    crowd.start();
    loop.run();
    return 0;
}
