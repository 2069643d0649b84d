// ending.h: how a relay comes to its end, on its first loop; whichever way, once everything is closed the loops are stopped.
//
//   stop       Nobody follows: listeners and idle connections close, agents hear of it; running answers get the time given.
//              Upgraded connections end when their people like; nobody waits for that.
//   replaced   Another process accepts by now: each connection gets one more request answered, agents are told and go there, what
//              runs (upgraded connections, too) gets the time given. Idle connections close shortly before its end. While `needed`
//              says that an older process drains, too, which hears only through this one what is revoked, this one stays, empty.
//   hurry      Cuts everything now.
#pragma once
#include <chrono>
#include <functional>
#include <optional>

#include "base/log.h"
#include "relay/agents.h"
#include "relay/program.h"
#include "relay/strand.h"

namespace sallyport::relay {

class Ending {
public:
    Ending(Strands& strands, Agents& agents, Log& log);

    void stop(std::chrono::milliseconds longest);
    void replaced(std::chrono::milliseconds longest, ChildProcess successor, std::function<bool()> needed);
    void hurry();

    bool begun() const { return phase_ != Phase::none; }
    bool is_replaced() const { return phase_ == Phase::replaced; }

private:
    enum class Phase { none, stopping, replaced, cutting };

    void on_every_loop(std::function<void(std::size_t index)> work, std::function<void()> then = {});
    void look();
    void look_whether_stopped();
    void look_whether_replaced();
    void on_counted(std::size_t connections);
    void cut();
    void end_loops();

    Strands& strands_;
    Agents& agents_;
    Log& log_;
    Phase phase_ = Phase::none;
    TimePoint last_chance_{};  // when idle connections close
    TimePoint ends_{};
    bool hurried_ = false;
    unsigned empty_rounds_ = 0;
    std::optional<ChildProcess> successor_;
    std::function<bool()> needed_;
    Timer timer_;
};

}  // namespace sallyport::relay
