// process_reaper.h: ends child processes for those who no longer want them, without waiting on the loop's thread.
// Outlives everything that spawns with it; its destructor kills and waits for the rest.
#pragma once
#include <sys/types.h>

#include <list>
#include <memory>

#include "net/loop.h"

namespace sallyport::gateway {

class ProcessReaper {
public:
    explicit ProcessReaper(Loop& loop);
    ~ProcessReaper();
    ProcessReaper(const ProcessReaper&) = delete;
    ProcessReaper& operator=(const ProcessReaper&) = delete;

    // Sends SIGKILL and reaps as soon as the process is gone. `pidfd` is the process's own.
    void kill(Descriptor pidfd);
    std::size_t pending() const { return pending_.size(); }

private:
    struct Pending;
    Loop& loop_;
    std::list<std::unique_ptr<Pending>> pending_;
};

// Reaps without waiting. False: it still runs.
bool try_reap(int pidfd, int& status_or_signal, bool& by_signal);

}  // namespace sallyport::gateway
