#include "agent/child_process.h"

#include <fcntl.h>
#include <linux/close_range.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>

namespace sallyport {
namespace {

constexpr int kMomentMs = 100;  // in which ssh tells the server that it leaves

std::vector<char*> pointers(std::vector<std::string>& texts) {
    std::vector<char*> all;
    for (std::string& text : texts) all.push_back(text.data());
    all.push_back(nullptr);
    return all;
}

// Between fork() and exec() of a process with threads: async-signal-safe calls only.
[[noreturn]] void become(const char* program, char* const* arguments, char* const* environment, int output, int nothing, pid_t parent) {
    ::prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (::getppid() != parent) ::_exit(127);
    ::umask(077);     // what it writes into our state folder is ours alone
    ::setpgid(0, 0);  // Ctrl-C is for us; we end it in order
    ::dup2(nothing, STDIN_FILENO);
    ::dup2(output, STDOUT_FILENO);
    ::dup2(output, STDERR_FILENO);
    ::close_range(STDERR_FILENO + 1, ~0U, CLOSE_RANGE_CLOEXEC);
    sigset_t none;
    sigemptyset(&none);
    ::sigprocmask(SIG_SETMASK, &none, nullptr);
    ::signal(SIGPIPE, SIG_DFL);
    ::execve(program, arguments, environment);
    ::_exit(127);
}

}  // namespace

class ChildProcess::Output final : private Watch::Owner {
public:
    Output(Loop& loop, Descriptor descriptor, ChildProcess::Owner& owner) : owner_(owner), descriptor_(std::move(descriptor)), watch_(loop, descriptor_.get(), *this) {
        watch_.want_read(true);
    }
    // One piece; false when there is none.
    bool read_some() {
        char piece[8192];
        const ssize_t got = ::read(descriptor_.get(), piece, sizeof piece);
        if (got <= 0) {
            if (got == 0 || (errno != EAGAIN && errno != EINTR)) watch_.want_read(false);
            return false;
        }
        for (const char c : std::string_view(piece, static_cast<std::size_t>(got))) {
            if (c == '\n') owner_.on_child_line(std::exchange(line_, {}));
            else if (line_.size() < kMaxLine) line_ += c;
        }
        return true;
    }

private:
    void on_readable() override { read_some(); }
    void on_writable() override {}
    ChildProcess::Owner& owner_;
    std::string line_;
    Descriptor descriptor_;
    Watch watch_;
};

class ChildProcess::End final : private Watch::Owner {
public:
    End(Loop& loop, Descriptor process, ChildProcess& child) : child_(child), process_(std::move(process)), watch_(loop, process_.get(), *this) { watch_.want_read(true); }
    int descriptor() const { return process_.get(); }

private:
    void on_readable() override {
        watch_.want_read(false);
        constexpr int kMostPieces = 64;  // what it said last; a program that it left behind could go on for ever
        for (int piece = 0; piece < kMostPieces && child_.output_->read_some(); ++piece) {}
        int status = 0;
        if (::waitpid(child_.pid_, &status, 0) == child_.pid_) child_.pid_ = 0;
        child_.owner_.on_child_end(status);
    }
    void on_writable() override {}
    ChildProcess& child_;
    Descriptor process_;
    Watch watch_;
};

Result<std::unique_ptr<ChildProcess>> ChildProcess::start(Loop& loop, const std::string& program, std::vector<std::string> arguments,
                                                          std::vector<std::string> environment, Owner& owner) {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) return fail_errno(errno, "pipe");
    Descriptor ours(ends[0]), theirs(ends[1]);
    ::fcntl(ours.get(), F_SETFL, O_NONBLOCK);
    const Descriptor nothing(::open("/dev/null", O_RDWR | O_CLOEXEC));
    if (!nothing) return fail_errno(errno, "open /dev/null");
    arguments.insert(arguments.begin(), program);
    const std::vector<char*> argv = pointers(arguments), envp = pointers(environment);
    const pid_t parent = ::getpid();
    const pid_t pid = ::fork();
    if (pid < 0) return fail_errno(errno, "start " + program);
    if (pid == 0) become(program.c_str(), argv.data(), envp.data(), theirs.get(), nothing.get(), parent);
    Descriptor process(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));  // the header of glibc 2.36 is for C only
    if (!process) {
        const int reason = errno;
        ::kill(pid, SIGKILL);
        ::waitpid(pid, nullptr, 0);
        return fail_errno(reason, "watch " + program);
    }
    return std::unique_ptr<ChildProcess>(new ChildProcess(loop, pid, std::move(process), std::move(ours), owner));
}

ChildProcess::ChildProcess(Loop& loop, pid_t pid, Descriptor process, Descriptor output, Owner& owner)
    : owner_(owner), pid_(pid), output_(std::make_unique<Output>(loop, std::move(output), owner)), end_(std::make_unique<End>(loop, std::move(process), *this)) {}

ChildProcess::~ChildProcess() {
    if (pid_ == 0) return;
    ::kill(pid_, SIGTERM);
    pollfd ended{.fd = end_->descriptor(), .events = POLLIN, .revents = 0};
    if (::poll(&ended, 1, kMomentMs) != 1) ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
}

Result<std::string> find_program(std::string_view name) {
    const char* const path = std::getenv("PATH");
    std::string_view rest = path != nullptr ? path : "/usr/local/bin:/usr/bin:/bin";
    while (!rest.empty()) {
        const std::size_t end = std::min(rest.find(':'), rest.size());
        std::string file = std::string(rest.substr(0, end)) + "/" + std::string(name);
        if (end > 0 && ::access(file.c_str(), X_OK) == 0) return file;
        rest.remove_prefix(std::min(end + 1, rest.size()));
    }
    return fail(Errc::not_found, "there is no program " + std::string(name) + " here (Debian: apt install openssh-client)");
}

}  // namespace sallyport
