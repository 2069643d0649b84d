#include "gateway/pty_process.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <termios.h>

#include <cstring>

namespace sallyport::gateway {
namespace {

constexpr std::size_t kRead = 64 * 1024;  // a turn's worth of one terminal
constexpr std::chrono::seconds kLastOctets{1};

void set_size(int descriptor, TerminalSize size) {
    winsize window{};
    window.ws_col = static_cast<unsigned short>(size.columns);
    window.ws_row = static_cast<unsigned short>(size.rows);
    ::ioctl(descriptor, TIOCSWINSZ, &window);
}

class FileActions {
public:
    FileActions() { posix_spawn_file_actions_init(&actions_); }
    ~FileActions() { posix_spawn_file_actions_destroy(&actions_); }
    posix_spawn_file_actions_t* get() { return &actions_; }

private:
    posix_spawn_file_actions_t actions_;
};

class SpawnAttributes {
public:
    SpawnAttributes() { posix_spawnattr_init(&attributes_); }
    ~SpawnAttributes() { posix_spawnattr_destroy(&attributes_); }
    posix_spawnattr_t* get() { return &attributes_; }

private:
    posix_spawnattr_t attributes_;
};

}  // namespace

struct PtyProcess::ExitWatch final : Watch::Owner {
    explicit ExitWatch(PtyProcess& p) : process(p), watch(p.loop_, p.pidfd_.get(), *this) { watch.want_read(true); }
    void on_readable() override { process.on_exited(); }
    void on_writable() override {}
    PtyProcess& process;
    Watch watch;
};

Result<std::unique_ptr<PtyProcess>> PtyProcess::spawn(Loop& loop, ProcessReaper& reaper, const PtyProgram& program, TerminalSize size,
                                                      Owner& owner) {
    std::unique_ptr<PtyProcess> process(new PtyProcess(loop, reaper, owner));
    process->master_.reset(::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK));
    const int master = process->master_.get();
    char slave[64];
    if (master < 0 || ::grantpt(master) != 0 || ::unlockpt(master) != 0 || ::ptsname_r(master, slave, sizeof slave) != 0)
        return fail_errno(errno, "open a pseudo terminal");
    termios modes{};
    if (::tcgetattr(master, &modes) == 0) {
        ::cfmakeraw(&modes);
        modes.c_iflag |= IUTF8;
        ::tcsetattr(master, TCSANOW, &modes);
    }
    set_size(master, size);

    FileActions actions;  // in this order; the first terminal that a session's leader opens becomes its controlling one
    posix_spawn_file_actions_addopen(actions.get(), 0, slave, O_RDWR, 0);
    posix_spawn_file_actions_adddup2(actions.get(), 0, 1);
    posix_spawn_file_actions_addopen(actions.get(), 2, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_addclosefrom_np(actions.get(), 3);
    SpawnAttributes attributes;
    sigset_t none, all;
    ::sigemptyset(&none);
    ::sigfillset(&all);
    posix_spawnattr_setsigmask(attributes.get(), &none);
    posix_spawnattr_setsigdefault(attributes.get(), &all);
    posix_spawnattr_setflags(attributes.get(), POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);

    std::string name = program.path;
    std::vector<std::string> arguments = program.arguments;
    std::vector<char*> argv{name.data()};
    for (std::string& argument : arguments) argv.push_back(argument.data());
    argv.push_back(nullptr);
    std::vector<std::string> environment = program.environment;
    const std::size_t first_secret = environment.size();
    for (const auto& [variable, value] : program.secrets) {
        std::string& entry = environment.emplace_back();
        entry.reserve(variable.size() + 1 + value.reveal().size());
        entry.append(variable).append("=").append(value.reveal());
    }
    std::vector<char*> envp;
    for (std::string& variable : environment) envp.push_back(variable.data());
    envp.push_back(nullptr);

    const int error = ::posix_spawnp(&process->pid_, name.c_str(), actions.get(), attributes.get(), argv.data(), envp.data());
    for (std::size_t i = first_secret; i < environment.size(); ++i) ::explicit_bzero(environment[i].data(), environment[i].size());
    if (error != 0) return fail_errno(error, "run " + name);
    const rlimit no_core{0, 0};
    ::prlimit(process->pid_, RLIMIT_CORE, &no_core, nullptr);
    process->pidfd_.reset(static_cast<int>(::syscall(SYS_pidfd_open, process->pid_, 0)));
    if (!process->pidfd_) {
        const int why = errno;
        ::kill(process->pid_, SIGKILL);
        return fail_errno(why, "watch a child process");
    }
    process->watch_it();
    return process;
}

void PtyProcess::watch_it() {
    watch_.reset(new Watch(loop_, master_.get(), *this));
    watch_->want_read(true);
    exit_watch_ = std::make_unique<ExitWatch>(*this);
}

PtyProcess::PtyProcess(Loop& loop, ProcessReaper& reaper, Owner& owner) : loop_(loop), reaper_(reaper), owner_(owner) {}

PtyProcess::~PtyProcess() {
    exit_watch_.reset();
    watch_.reset();
    if (!exited_ && pidfd_) reaper_.kill(std::move(pidfd_));
}

std::size_t PtyProcess::write(Octets octets) {
    if (drained_ || exited_) return octets.size();  // nobody reads it any more; on_pty_exit is on its way
    std::size_t taken = 0;
    while (taken < octets.size()) {
        const ssize_t n = ::write(master_.get(), octets.data() + taken, octets.size() - taken);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0 && errno != EAGAIN) return octets.size();
        if (n <= 0) break;
        taken += static_cast<std::size_t>(n);
    }
    if (taken < octets.size()) watch_->want_write(true);
    return taken;
}

void PtyProcess::pause(bool on) {
    paused_ = on;
    if (!drained_) watch_->want_read(!on);
}

void PtyProcess::resize(TerminalSize size) { set_size(master_.get(), size); }

void PtyProcess::signal(int number) {
    if (!exited_) ::syscall(SYS_pidfd_send_signal, pidfd_.get(), number, nullptr, 0);
}

void PtyProcess::on_readable() {
    const std::span room = std::span(loop_.buffers().received).first(kRead);
    const ssize_t n = ::read(master_.get(), room.data(), room.size());
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (n <= 0) {  // EIO: the last descriptor of the other side is closed
        drained_ = true;
        watch_->want_read(false);
        watch_->want_write(false);
        return end_if_over();
    }
    owner_.on_pty_octets(Octets(room.data(), static_cast<std::size_t>(n)));
}

void PtyProcess::on_writable() {
    watch_->want_write(false);
    owner_.on_pty_room();
}

void PtyProcess::on_exited() {
    if (!try_reap(pidfd_.get(), exit_.status, exit_.by_signal)) return;
    exited_ = true;
    exit_watch_->watch.want_read(false);
    // What it wrote last may still be on its way through the pty. A child of its own could keep that open for ever.
    if (paused_) pause(false);
    last_octets_.start(kLastOctets);
    end_if_over();
}

void PtyProcess::end_if_over() {
    if (!exited_ || !drained_) return;
    last_octets_.cancel();
    watch_->want_read(false);
    watch_->want_write(false);
    owner_.on_pty_exit(exit_);
}

}  // namespace sallyport::gateway
