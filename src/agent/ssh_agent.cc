#include "agent/ssh_agent.h"

#include <algorithm>

#include "agent/ssh_library_link.h"
#include "agent/ssh_program_link.h"
#include "base/random.h"

namespace sallyport {
namespace {

double unpredictable() {
    std::uint32_t bits = 0;
    fill_random(std::as_writable_bytes(std::span(&bits, 1)));
    return static_cast<double>(bits) / 4294967296.0;
}

std::string joined(const std::vector<std::string>& words) {
    std::string all;
    for (const std::string& word : words) all += (all.empty() ? "" : " ") + word;
    return all;
}

}  // namespace

SshAgent::SshAgent(Loop& loop, Workers& workers, Log& log, SshAgentSetup setup, SshAgentObserver* observer)
    : loop_(loop),
      workers_(workers),
      log_(log),
      setup_(std::move(setup)),
      observer_(observer),
      trust_(workers, log, setup_.state),
      connections_(loop),
      scout_(loop, workers, trust_, log, setup_.targets, [] {}, TargetScout::Pace{.decides = true}),
      streams_(
          loop, workers, log, setup_.targets, trust_, scout_, setup_.origin,
          [this] {
              if (stopping_) stop_if_idle();
          },
          StreamServer::Carries::octets),
      patience_(loop, [this] { finish(); }) {
    if (!setup_.keeper.random) setup_.keeper.random = unpredictable;
    for (SshServer& server : setup_.servers) {
        keepers_.push_back(std::make_unique<SshKeeper>(
            loop_, workers_, log_, std::move(server), setup_.memory, setup_.keeper,
            [this](const SshServer& of, bool worked, SshLink::Owner& owner) { return make_link(of, worked, owner); }, static_cast<SshKeeper::Owner&>(*this)));
    }
}

SshAgent::~SshAgent() = default;

Result<> SshAgent::load() { return trust_.load(); }

void SshAgent::start() {
    for (const auto& keeper : keepers_) {
        const SshServer& server = keeper->server();
        if (server.program)
            log_.info("agent.ssh_engine", {{"relay", server.config.url()}, {"engine", "ssh"}, {"program", *server.program}, {"why", "other_ssh_options: " + joined(server.config.options.only_ssh)}});
        else
            log_.info("agent.ssh_engine", {{"relay", server.config.url()}, {"engine", "libssh"}});
    }
    if (setup_.up == ServersUp::one) return start_next();
    for (const auto& keeper : keepers_) keeper->start();
}

// The first in the list that may be dialled; if all have to wait, the one that waits least.
void SshAgent::start_next() {
    const TimePoint now = loop_.now();
    const auto wait = [now](const std::unique_ptr<SshKeeper>& keeper) { return std::max(keeper->may_dial_at(), now); };
    (*std::ranges::min_element(keepers_, {}, wait))->start();
}

std::unique_ptr<SshLink> SshAgent::make_link(const SshServer& server, bool worked, SshLink::Owner& owner) {
    if (!server.program) return std::make_unique<SshLibraryLink>(loop_, workers_, log_, server, worked, owner);
    return std::make_unique<SshProgramLink>(loop_, log_, connections_, server, worked, owner);
}

bool SshAgent::is_connected() const {
    const auto up = [](const std::unique_ptr<SshKeeper>& keeper) { return keeper->up(); };
    return setup_.up == ServersUp::one ? std::ranges::any_of(keepers_, up) : std::ranges::all_of(keepers_, up);
}

void SshAgent::check_network(std::string_view why) {
    if (stopping_) return;
    log_.debug("agent.network_changed", {{"why", why}});
    for (const auto& keeper : keepers_) keeper->check();
}

void SshAgent::on_server_up(SshKeeper& keeper, const SshLink::Up& up) {
    // What was found out about Home Assistant may be out of date by now.
    scout_.begin_anew();
    scout_.look_at(keeper.server().targets);
    if (observer_) observer_->on_ssh_connected(keeper.server(), up);
}

void SshAgent::on_server_down(SshKeeper& keeper) {
    if (stopping_) return;
    if (setup_.up == ServersUp::one) return start_next();
    keeper.start();
}

void SshAgent::on_server_stream(SshKeeper& keeper, std::size_t forward, std::unique_ptr<IncomingStream> stream) {
    streams_.serve({keeper.server().targets[forward], {}}, std::move(stream));
}

void SshAgent::stop(std::chrono::milliseconds patience, std::function<void()> stopped) {
    if (stopped) stopped_ = std::move(stopped);
    stopping_ = true;
    streams_.refuse_new();
    for (const auto& keeper : keepers_)
        if (!keeper->up()) keeper->stop();
    patience_.start(patience);
    stop_if_idle();
}

void SshAgent::stop_if_idle() {
    if (streams_.open_streams() == 0) patience_.start(Duration::zero());
}

void SshAgent::finish() {
    for (const auto& keeper : keepers_) keeper->stop();
    if (auto call = std::exchange(stopped_, nullptr)) call();
}

}  // namespace sallyport
