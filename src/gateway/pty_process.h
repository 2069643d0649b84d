// pty_process.h: a program in a pseudo terminal of its own: its own session, the pty as its controlling terminal, standard error to
// nowhere, and no descriptor of ours. Octets out are pushed, octets in are written as far as there is room; its exit is noticed by
// pidfd. Destroying it kills and reaps it. Lives on one loop.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "base/octets.h"
#include "base/result.h"
#include "base/secret.h"
#include "gateway/process_reaper.h"
#include "gateway/terminal_size.h"
#include "net/loop.h"

namespace sallyport::gateway {

struct PtyProgram {
    std::string path;                      // looked up in PATH where it has no slash
    std::vector<std::string> arguments;    // without the name; anybody on this machine can read them
    std::vector<std::string> environment;  // all of it: "NAME=value"
    std::vector<std::pair<std::string, Secret>> secrets;  // more of the environment, wiped here once the program runs
};

class PtyProcess final : Watch::Owner {
public:
    struct Exit {
        int status = 0;          // of exit(), or the signal's number
        bool by_signal = false;
    };
    class Owner {
    public:
        virtual void on_pty_octets(Octets octets) = 0;
        virtual void on_pty_room() = 0;
        // The program is gone and everything that it wrote was handed over. The last call; not to be destroyed in it.
        virtual void on_pty_exit(const Exit& exit) = 0;

    protected:
        ~Owner() = default;
    };

    // The terminal is raw from the start, so that keys typed before the program set it up reach it as they are.
    static Result<std::unique_ptr<PtyProcess>> spawn(Loop& loop, ProcessReaper& reaper, const PtyProgram& program, TerminalSize size,
                                                     Owner& owner);
    ~PtyProcess();

    [[nodiscard]] std::size_t write(Octets octets);  // taken; less than offered: on_pty_room follows
    void pause(bool on);
    void resize(TerminalSize size);
    void signal(int number);
    pid_t pid() const { return pid_; }

private:
    PtyProcess(Loop& loop, ProcessReaper& reaper, Owner& owner);
    void on_readable() override;
    void on_writable() override;
    void watch_it();
    void on_exited();
    void end_if_over();
    struct ExitWatch;

    Loop& loop_;
    ProcessReaper& reaper_;
    Owner& owner_;
    Descriptor master_;
    Descriptor pidfd_;
    pid_t pid_ = -1;
    std::unique_ptr<Watch> watch_;
    std::unique_ptr<ExitWatch> exit_watch_;
    bool paused_ = false;
    bool drained_ = false;  // the pty has said its last
    bool exited_ = false;
    Exit exit_;
    Timer last_octets_{loop_, [this] {
                           drained_ = true;
                           end_if_over();
                       }};
};

}  // namespace sallyport::gateway
