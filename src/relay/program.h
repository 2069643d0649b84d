// program.h: starting this program anew, from the file it was started from: after a package upgrade that is the new release.
#pragma once
#include <sys/types.h>

#include <chrono>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace sallyport::relay {

// The flag behind which a new process finds the number of the descriptor that leads to the one it replaces.
inline constexpr const char* kUpgradeFlag = "--upgrade-from";

// How a process was started.
struct Program {
    std::string path;                    // absolute; not resolved further, so a link that was moved leads to the new file
    std::vector<std::string> arguments;  // with argv[0], without kUpgradeFlag

    static Program of(std::span<char* const> arguments);  // main()'s
};

// A child process. It lives on if this is destroyed.
class ChildProcess {
public:
    // With the same environment, but WATCHDOG_PID (a successor is watched as we were); signals as at a fresh start. `inherited`
    // is the one descriptor beside 0, 1 and 2 that it gets, under the same number.
    static Result<ChildProcess> start(const Program& program, int inherited);

    pid_t pid() const { return pid_; }
    static constexpr std::string_view kInOrder = "it ended with exit code 0";

    // Says how it ended, if it has.
    std::optional<std::string> look_whether_ended();
    // Kills it if it hasn't ended within `patience`, and waits for its end.
    std::string wait_or_kill(std::chrono::milliseconds patience);

private:
    explicit ChildProcess(pid_t pid) : pid_(pid) {}
    pid_t pid_;
    std::optional<std::string> ended_;
};

}  // namespace sallyport::relay
