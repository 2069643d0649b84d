#include "gateway/process_reaper.h"

#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <algorithm>

namespace sallyport::gateway {
namespace {

// glibc's idtype_t lacks P_PIDFD's declaration in strict modes; the number is the kernel's.
constexpr auto kPidfd = static_cast<idtype_t>(3);

}  // namespace

bool try_reap(int pidfd, int& status_or_signal, bool& by_signal) {
    siginfo_t info{};
    if (::waitid(kPidfd, static_cast<id_t>(pidfd), &info, WEXITED | WNOHANG) != 0) {
        status_or_signal = 0;
        by_signal = false;
        return true;  // nobody there to wait for
    }
    if (info.si_pid == 0) return false;
    by_signal = info.si_code != CLD_EXITED;
    status_or_signal = info.si_status;
    return true;
}

struct ProcessReaper::Pending final : Watch::Owner {
    Pending(ProcessReaper& r, Descriptor p) : reaper(r), pidfd(std::move(p)), watch(r.loop_, pidfd.get(), *this) {
        watch.want_read(true);
    }
    void on_readable() override {
        int status = 0;
        bool by_signal = false;
        if (!try_reap(pidfd.get(), status, by_signal)) return;
        auto& all = reaper.pending_;
        const auto self = std::ranges::find_if(all, [this](const auto& one) { return one.get() == this; });
        reaper.loop_.dispose(std::move(*self));
        all.erase(self);
    }
    void on_writable() override {}
    ProcessReaper& reaper;
    Descriptor pidfd;
    Watch watch;
};

void ProcessReaper::kill(Descriptor pidfd) {
    ::syscall(SYS_pidfd_send_signal, pidfd.get(), SIGKILL, nullptr, 0);
    int status = 0;
    bool by_signal = false;
    if (try_reap(pidfd.get(), status, by_signal)) return;
    pending_.push_back(std::make_unique<Pending>(*this, std::move(pidfd)));
}

ProcessReaper::ProcessReaper(Loop& loop) : loop_(loop) {}

ProcessReaper::~ProcessReaper() {
    for (const auto& one : pending_) {
        siginfo_t info{};
        ::waitid(kPidfd, static_cast<id_t>(one->pidfd.get()), &info, WEXITED);
    }
}

}  // namespace sallyport::gateway
