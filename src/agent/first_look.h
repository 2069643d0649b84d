// first_look.h: the doctor's short form at an agent's first start, told in the log: once routes lead here, on a thread of its own with a
// loop of its own, so that nothing of the agent waits for it. It is done once per state folder.
#pragma once
#include <atomic>
#include <thread>

#include "agent/state_folder.h"
#include "base/log.h"
#include "config/agent_config.h"

namespace sallyport {

inline constexpr std::string_view kFirstLookFile = "first-look";  // in the state folder once it was done

class FirstLook {
public:
    FirstLook(const AgentConfig& config, const StateFolder& folder, Log& log);
    ~FirstLook();  // calls it off and waits for its end: a moment, or as long as a name server takes
    FirstLook(const FirstLook&) = delete;
    FirstLook& operator=(const FirstLook&) = delete;

    // Begins it, unless it was done or begun before, or the configuration doesn't want it.
    void begin();

private:
    void look();
    const AgentConfig& config_;
    const StateFolder& folder_;
    Log& log_;
    bool wanted_;
    std::atomic<bool> called_off_{false};
    std::thread thread_;
};

}  // namespace sallyport
