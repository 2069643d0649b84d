// child_process.h: a program of the system's run beside us: its output as lines, its end as a call. It dies with this object,
// and with this process, however that ends. Made on the loop's thread, which must be the one that outlives it.
#pragma once
#include <sys/types.h>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "net/descriptor.h"
#include "net/loop.h"

namespace sallyport {

class ChildProcess final {
public:
    class Owner {
    public:
        // Standard output and error alike, without the newline; longer ones are cut. Never destroy the child in here: Loop::dispose.
        virtual void on_child_line(std::string_view line) = 0;
        virtual void on_child_end(int status) = 0;  // as waitpid() gives it; the last call

    protected:
        ~Owner() = default;
    };

    static constexpr std::size_t kMaxLine = 4096;

    // Standard input is empty. `environment`: "KEY=value".
    static Result<std::unique_ptr<ChildProcess>> start(Loop& loop, const std::string& program, std::vector<std::string> arguments,
                                                       std::vector<std::string> environment, Owner& owner);
    ~ChildProcess();  // asks it to end, and ends it if it hasn't in a moment
    ChildProcess(const ChildProcess&) = delete;
    ChildProcess& operator=(const ChildProcess&) = delete;

    pid_t pid() const { return pid_; }

private:
    class Output;
    class End;
    ChildProcess(Loop& loop, pid_t pid, Descriptor process, Descriptor output, Owner& owner);
    Owner& owner_;
    pid_t pid_;  // 0 once it was waited for
    std::unique_ptr<Output> output_;
    std::unique_ptr<End> end_;
};

// Where a shell would find it; Errc::not_found.
Result<std::string> find_program(std::string_view name);

}  // namespace sallyport
