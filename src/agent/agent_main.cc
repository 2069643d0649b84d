#include "agent/agent_main.h"

#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>

#include "agent/agent.h"
#include "agent/agent_start.h"
#include "agent/first_look.h"
#include "agent/ssh_start.h"
#include "net/address_watch.h"
#include "net/service_notifier.h"
#include "net/service_watchdog.h"
#include "net/sleep_watch.h"
#include "net/socket.h"
#include "ssh/connection.h"

namespace sallyport {
namespace {

constexpr std::size_t kWorkers = 8;           // a name that doesn't resolve blocks one for seconds
// resolv.conf(5): the usual 5 s hold a worker for 10 s and more, and a lost query is repeated late.
constexpr const char* kResolver = "timeout:2 attempts:2";
constexpr std::chrono::seconds kPatience{2};  // for open streams at the end; a WebSocket would last for ever
constexpr std::size_t kMaxShown = 200;        // octets of a string from the relay

// For a terminal: what another machine chose must not steer it.
std::string shown(std::string_view text) {
    std::string out{text.substr(0, kMaxShown)};
    std::ranges::replace_if(out, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }, '?');
    return out;
}

void say(const std::string& line) {
    std::fprintf(stdout, "%s\n", line.c_str());
    std::fflush(stdout);
}

class Announcer final : public AgentObserver {
public:
    Announcer(TargetTable targets, FirstLook& first_look) : targets_(std::move(targets)), first_look_(first_look) {}
    void on_agent_connected(const Url& relay) override { say("Connected to " + relay.text()); }
    void on_agent_routes(const std::vector<RouteNotice>& routes) override {
        if (routes.empty()) say("No public URL leads here yet: `sallyport admin route add` on the relay makes one.");
        for (const RouteNotice& route : routes)
            say("  " + shown(route.url) + "  leads to  " + shown(route.target) + where(route.target));
        if (!routes.empty()) first_look_.begin();
    }

private:
    std::string where(std::string_view name) const {
        const auto target = targets_.find(name);
        if (!target) return "  (not among this agent's services: visitors are refused)";
        return target->is_located() ? " (" + target->url.text() + ")" : "";
    }
    TargetTable targets_;
    FirstLook& first_look_;
};

class SshAnnouncer final : public SshAgentObserver {
public:
    SshAnnouncer(TargetTable targets, FirstLook& first_look) : targets_(std::move(targets)), first_look_(first_look) {}
    void on_ssh_connected(const SshServer& server, const SshLink::Up& up) override {
        say("Connected to " + server.config.url());
        for (std::size_t at = 0; at < server.targets.size(); ++at) {
            RemoteForward line = server.config.forwards[at].line;
            line.port = up.ports[at];
            const auto target = targets_.find(server.targets[at]);
            say("  " + line.listen_text() + " there  leads to  " + server.targets[at] + (target && target->is_located() && target->is_http() ? " (" + target->url.text() + ")" : ""));
        }
        first_look_.begin();
    }

private:
    TargetTable targets_;
    FirstLook& first_look_;
};

// SIGTERM and SIGINT as events of the loop. They must be blocked on every thread.
class Signals final : private Watch::Owner {
public:
    Signals(Loop& loop, std::function<void(int signal)> on_signal)
        : on_signal_(std::move(on_signal)), descriptor_(make()), watch_(loop, descriptor_.get(), *this) {
        watch_.want_read(true);
    }
    static sigset_t set() {
        sigset_t signals;
        sigemptyset(&signals);
        sigaddset(&signals, SIGTERM);
        sigaddset(&signals, SIGINT);
        return signals;
    }

private:
    static Descriptor make() {
        const sigset_t signals = set();
        return Descriptor(::signalfd(-1, &signals, SFD_NONBLOCK | SFD_CLOEXEC));
    }
    void on_readable() override {
        signalfd_siginfo info{};
        if (::read(descriptor_.get(), &info, sizeof info) == sizeof info) on_signal_(static_cast<int>(info.ssi_signo));
    }
    void on_writable() override {}
    std::function<void(int)> on_signal_;
    Descriptor descriptor_;
    Watch watch_;
};

// What the service manager shows of the agent: whether it is connected, looked at each second, where anybody is told at all. Ready
// is it from the start: the network may be away, and that is no reason to start it again.
class ServiceStatus {
public:
    ServiceStatus(Loop& loop, std::function<bool()> is_connected, const ServiceNotifier& notifier)
        : is_connected_(std::move(is_connected)), notifier_(notifier), watchdog_(notifier, loop, {&loop}), timer_(loop, [this] { look(); }) {
        if (!notifier) return;
        notifier.ready("connecting");
        watchdog_.start();
        timer_.start(kLookEvery);
    }

private:
    static constexpr std::chrono::seconds kLookEvery{1};
    void look() {
        timer_.start(kLookEvery);
        if (is_connected_() == connected_) return;
        connected_ = !connected_;
        notifier_.status(connected_ ? "connected" : "not connected; it goes on trying");
    }
    std::function<bool()> is_connected_;
    const ServiceNotifier& notifier_;
    bool connected_ = false;
    ServiceWatchdog watchdog_;
    Timer timer_;
};

int cannot_start(Log& log, const Error& error) {
    log.error("agent.cannot_start", {{"reason", error.detail}});
    return 1;
}

// An Agent or an SshAgent, from its start to its end.
template <class AgentKind, class Setup, class Observer>
int serve(Setup setup, Observer observer, Log& log) {
    Loop loop;
    Workers workers(kWorkers);  // gone before the loop, to which it posts
    AgentKind agent(loop, workers, log, std::move(setup), &observer);
    if (const auto loaded = agent.load(); !loaded) return cannot_start(log, loaded.error());
    bool asked = false;
    const ServiceNotifier notifier = ServiceNotifier::from_environment();
    const Signals signals(loop, [&](int signal) {
        notifier.stopping("stopping: open streams may end");
        log.info("agent.stopping", {{"signal", signal == SIGTERM ? "SIGTERM" : "SIGINT"}});
        const auto patience =
            std::exchange(asked, true) ? std::chrono::milliseconds(0) : std::chrono::milliseconds(kPatience);
        agent.stop(patience, [&loop] { loop.stop(); });
    });
    const AddressWatch addresses(loop, [&agent] { agent.check_network("addresses or routes changed"); });
    const SleepWatch sleep(loop, [&agent] { agent.check_network("the machine was suspended"); });
    agent.start();
    const ServiceStatus status(loop, [&agent] { return agent.is_connected(); }, notifier);
    loop.run();
    log.info("agent.stopped");
    return 0;
}

int trust_ssh_server(const SshServerConfig& server, const StateFolder& folder, Log& log) {
    const SshHostKeys keys(folder, server);
    if (keys.only_given()) {
        std::fprintf(stderr, "the keys of %s are given by host_key or known_hosts: change them there\n", server.name.c_str());
        return 1;
    }
    const auto gone = keys.forget();
    if (!gone) return cannot_start(log, gone.error());
    if (gone->empty()) {
        std::fprintf(stderr, "no key of %s is noted\n", server.name.c_str());
        return 1;
    }
    for (const std::string& fingerprint : *gone)
        std::fprintf(stdout, "Forgotten: the key %s of %s. The next one it shows is noted.\n", fingerprint.c_str(), server.url().c_str());
    return 0;
}

}  // namespace

int run_agent(const AgentConfig& config, const EnrolmentInput& input, Log& log) {
    const sigset_t signals = Signals::set();
    ::pthread_sigmask(SIG_BLOCK, &signals, nullptr);
    ::signal(SIGPIPE, SIG_IGN);
    raise_descriptor_limit();
    ::setenv("RES_OPTIONS", kResolver, 0);  // no thread runs yet; whoever set it knows better
    for (const std::string& warning : config.warnings) log.warn("agent.config_warning", {{"text", warning}});
    if (config.allow_any_target)
        log.warn("agent.any_target_allowed",
                 {{"advice", "whoever controls the relay reaches every machine that this one reaches"}});

    const auto folder = StateFolder::open(config.state_dir);
    if (!folder) return cannot_start(log, folder.error());
    const auto lock = folder->lock();
    if (!lock) return cannot_start(log, lock.error());
    if (config.ssh) {
        ssh::start_library();
        auto setup = prepare_ssh_agent(config, *folder, log, stdout);
        if (!setup) return cannot_start(log, setup.error());
        std::fflush(stdout);
        FirstLook first_look(config, *folder, log);
        SshAnnouncer announcer(setup->targets, first_look);
        return serve<SshAgent>(std::move(*setup), std::move(announcer), log);
    }
    // While a person is asked, Ctrl-C ends the program as usual.
    ::pthread_sigmask(SIG_UNBLOCK, &signals, nullptr);
    const auto code = choose_code(config, input);
    ::pthread_sigmask(SIG_BLOCK, &signals, nullptr);
    if (!code) return cannot_start(log, code.error());
    auto setup = prepare_agent(config, *folder, *code, log, stdout);
    if (!setup) return cannot_start(log, setup.error());
    std::fflush(stdout);
    FirstLook first_look(config, *folder, log);
    Announcer announcer(setup->targets, first_look);
    return serve<Agent>(std::move(*setup), std::move(announcer), log);
}

int trust_target(const AgentConfig& config, std::string_view target, Log& log) {
    const auto folder = StateFolder::open(config.state_dir);
    if (!folder) return cannot_start(log, folder.error());
    if (const SshServerConfig* const server = config.ssh ? find_ssh_server(*config.ssh, target) : nullptr) return trust_ssh_server(*server, *folder, log);
    auto keys = load_noted_keys(*folder);
    if (!keys) return cannot_start(log, keys.error());
    const auto noted = keys->find(target);
    if (noted == keys->end()) {
        std::fprintf(stderr, "no key of a target \"%s\" is noted\n", std::string(target).c_str());
        return 1;
    }
    std::fprintf(stdout, "Forgotten: the key %s of %s at %s. The next one it shows is noted.\n",
                 noted->second.pin.c_str(), noted->first.c_str(), noted->second.address.c_str());
    keys->erase(noted);
    if (const auto written = folder->write(kNotedKeysFile, format_noted_keys(*keys)); !written)
        return cannot_start(log, written.error());
    return 0;
}

}  // namespace sallyport
