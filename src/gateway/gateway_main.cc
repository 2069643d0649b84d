#include "gateway/gateway_main.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

#include "gateway/gateway.h"
#include "net/service_notifier.h"
#include "net/service_watchdog.h"

namespace sallyport::gateway {
namespace {

constexpr std::size_t kWorkers = 4;

// SIGTERM and SIGINT as events of the loop; they are blocked on every thread.
class Signals final : private Watch::Owner {
public:
    static sigset_t block() {
        sigset_t signals;
        sigemptyset(&signals);
        sigaddset(&signals, SIGTERM);
        sigaddset(&signals, SIGINT);
        ::pthread_sigmask(SIG_BLOCK, &signals, nullptr);
        ::signal(SIGPIPE, SIG_IGN);
        return signals;
    }
    Signals(Loop& loop, const sigset_t& signals, std::function<void(int)> on_signal)
        : on_signal_(std::move(on_signal)), descriptor_(::signalfd(-1, &signals, SFD_NONBLOCK | SFD_CLOEXEC)), watch_(loop, descriptor_.get(), *this) {
        watch_.want_read(true);
    }

private:
    void on_readable() override {
        signalfd_siginfo info{};
        while (::read(descriptor_.get(), &info, sizeof info) == sizeof info) on_signal_(static_cast<int>(info.ssi_signo));
    }
    void on_writable() override {}
    std::function<void(int)> on_signal_;
    Descriptor descriptor_;
    Watch watch_;
};

#ifndef __has_feature
#define __has_feature(x) 0
#endif

// Passwords, keys and what people type are in our memory.
void keep_out_of_core_dumps() {
    const rlimit none{0, 0};
    ::setrlimit(RLIMIT_CORE, &none);
#if !__has_feature(address_sanitizer)  // whose search for leaks looks into this process as a debugger does
    ::prctl(PR_SET_DUMPABLE, 0);
#endif
}

void warn(const GatewayConfig& config, Log& log) {
    for (const std::string& warning : config.warnings) log.warn("gateway.config_warning", {{"text", warning}});
    if (config.remote_ignore_host_key)
        log.warn("gateway.host_key_ignored", {{"advice", "remote_ignore_host_key: whoever stands between the gateway and the remote reads and changes everything, passwords too; set remote_known_hosts"}});
    if (config.accept_any_key)
        log.warn("gateway.any_key_accepted", {{"advice", "accept_any_key: everybody who reaches this port gets in as any user"}});
}

int cannot_start(const Error& error) {
    std::fprintf(stderr, "sallyport: %s\n", error.detail.c_str());
    return 1;
}

}  // namespace

int run_gateway(GatewayConfig config, Log& log) {
    const sigset_t signals = Signals::block();
    keep_out_of_core_dumps();
    raise_descriptor_limit();
    ssh::start_library();
    warn(config, log);
    std::error_code failed;
    std::filesystem::create_directories(config.state_dir, failed);
    if (failed) return cannot_start({Errc::io, "state_dir " + config.state_dir.string() + ": " + failed.message()});

    Loop loop;
    Workers workers(kWorkers);  // gone before the loop, to which it posts
    const std::chrono::milliseconds patience = config.drain_timeout;
    const std::string remote = known_host_name(config.remote_host, config.remote_port);
    auto gateway = Gateway::start(loop, workers, log, std::move(config));
    if (!gateway) return cannot_start(gateway.error());
    std::string listen;
    for (const SocketAddress& address : (*gateway)->addresses()) listen += (listen.empty() ? "" : ",") + address.text();
    log.info("gateway.started", {{"listen", listen},
                                 {"remote", remote},
                                 {"own_key", (*gateway)->own_key() ? (*gateway)->own_key()->fingerprint() : std::string("none")},
                                 {"host_key", (*gateway)->host_key_fingerprint()}});
    std::printf("Listening on %s for %s; host key %s\n", listen.c_str(), remote.c_str(), (*gateway)->host_key_fingerprint().c_str());
    if (const SshPublicKey* const own = (*gateway)->own_key())
        std::printf("The gateway's key, for authorized_keys at the remote: %s\n", own->text().c_str());
    else
        std::printf("No key of the gateway's own: users log in to the remote with their agents (ssh -A)\n");
    std::fflush(stdout);
    const ServiceNotifier notifier = ServiceNotifier::from_environment();
    ServiceWatchdog watchdog(notifier, loop, {&loop});
    notifier.ready("listening");
    if (notifier) watchdog.start();
    bool asked = false;
    const Signals watch(loop, signals, [&](int signal) {
        notifier.stopping("stopping");
        log.info("gateway.stopping", {{"signal", signal == SIGTERM ? "SIGTERM" : "SIGINT"}, {"connections", (*gateway)->connections()}});
        (*gateway)->stop(std::exchange(asked, true) ? std::chrono::milliseconds(0) : patience, [&loop] { loop.stop(); });
    });
    loop.run();
    log.info("gateway.stopped");
    return 0;
}

}  // namespace sallyport::gateway
