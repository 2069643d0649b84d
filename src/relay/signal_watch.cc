#include "relay/signal_watch.h"

#include <sys/signalfd.h>

#include <cerrno>
#include <csignal>

namespace sallyport::relay {

Result<Descriptor> block_signals(std::initializer_list<int> signals) {
    ::signal(SIGPIPE, SIG_IGN);
    ::signal(SIGXFSZ, SIG_IGN);  // a file at its size limit is a full disk: an error of write(), not our end
    sigset_t set;
    ::sigemptyset(&set);
    for (const int signal : signals) ::sigaddset(&set, signal);
    ::pthread_sigmask(SIG_BLOCK, &set, nullptr);
    Descriptor descriptor(::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
    if (!descriptor) return fail_errno(errno, "signalfd");
    return descriptor;
}

SignalWatch::SignalWatch(Loop& loop, Descriptor blocked, OnSignal on_signal)
    : descriptor_(std::move(blocked)), on_signal_(std::move(on_signal)), watch_(loop, descriptor_.get(), *this) {
    watch_.want_read(true);
}

void SignalWatch::on_readable() {
    signalfd_siginfo info{};
    while (::read(descriptor_.get(), &info, sizeof info) == sizeof info) on_signal_(static_cast<int>(info.ssi_signo));
}

}  // namespace sallyport::relay
