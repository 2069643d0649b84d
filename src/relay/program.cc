#include "relay/program.h"

#include <spawn.h>
#include <sys/auxv.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <filesystem>
#include <string_view>
#include <thread>

namespace sallyport::relay {
namespace {

// The name the kernel was given; where that is none (fexecve), what it found.
std::string own_path() {
    std::error_code failed;
    const auto* name = reinterpret_cast<const char*>(::getauxval(AT_EXECFN));
    if (name && *name && !std::string_view(name).starts_with("/dev/fd/")) {
        const auto path = std::filesystem::absolute(name, failed);
        if (!failed && std::filesystem::exists(path, failed)) return path.string();
    }
    return std::filesystem::read_symlink("/proc/self/exe", failed).string();
}

std::string describe(int status) {
    if (WIFEXITED(status)) return "it ended with exit code " + std::to_string(WEXITSTATUS(status));
    return "it was ended by signal " + std::to_string(WTERMSIG(status));
}

std::vector<char*> pointers(std::vector<std::string>& texts) {
    std::vector<char*> out;
    for (std::string& text : texts) out.push_back(text.data());
    out.push_back(nullptr);
    return out;
}

std::vector<std::string> environment() {
    std::vector<std::string> variables;
    for (char** variable = environ; variable && *variable; ++variable)
        if (!std::string_view(*variable).starts_with("WATCHDOG_PID=")) variables.emplace_back(*variable);
    return variables;
}

}  // namespace

Program Program::of(std::span<char* const> arguments) {
    Program program{own_path(), {}};
    for (std::size_t i = 0; i < arguments.size(); ++i) {
        if (std::string_view(arguments[i]) == kUpgradeFlag) ++i;
        else program.arguments.emplace_back(arguments[i]);
    }
    return program;
}

Result<ChildProcess> ChildProcess::start(const Program& program, int inherited) {
    std::vector<std::string> arguments = program.arguments;
    arguments.insert(arguments.end(), {kUpgradeFlag, std::to_string(inherited)});
    std::vector<std::string> variables = environment();

    posix_spawn_file_actions_t actions;
    ::posix_spawn_file_actions_init(&actions);
    ::posix_spawn_file_actions_adddup2(&actions, inherited, inherited);  // onto itself: takes CLOEXEC off
    posix_spawnattr_t attributes;
    ::posix_spawnattr_init(&attributes);
    ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    sigset_t none, defaults;
    ::sigemptyset(&none);
    ::sigemptyset(&defaults);
    for (const int ignored_by_us : {SIGPIPE, SIGXFSZ}) ::sigaddset(&defaults, ignored_by_us);
    ::posix_spawnattr_setsigmask(&attributes, &none);
    ::posix_spawnattr_setsigdefault(&attributes, &defaults);

    pid_t pid = -1;
    const int failure =
        ::posix_spawn(&pid, program.path.c_str(), &actions, &attributes, pointers(arguments).data(), pointers(variables).data());
    ::posix_spawnattr_destroy(&attributes);
    ::posix_spawn_file_actions_destroy(&actions);
    if (failure != 0) return fail_errno(failure, "start " + program.path);
    return ChildProcess(pid);
}

std::optional<std::string> ChildProcess::look_whether_ended() {
    int status = 0;
    if (!ended_ && ::waitpid(pid_, &status, WNOHANG) == pid_) ended_ = describe(status);
    return ended_;
}

std::string ChildProcess::wait_or_kill(std::chrono::milliseconds patience) {
    constexpr std::chrono::milliseconds kLookEvery{5};
    for (; !look_whether_ended() && patience.count() > 0; patience -= kLookEvery) std::this_thread::sleep_for(kLookEvery);
    if (ended_) return *ended_;
    int status = 0;
    ::kill(pid_, SIGKILL);
    while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
    }
    ended_ = describe(status);
    return *ended_;
}

}  // namespace sallyport::relay
