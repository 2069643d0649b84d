// refused_newcomers.h: who proved the credential of a connected agent and was refused (duplicate_live), one of them for each agent: the
// last. The owner may decide for it; its next attempt from that address then takes the live one's place. Forgotten kNewcomerKept
// after the last attempt. No more notes than connected agents. Lives on one loop.
#pragma once
#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/clock.h"

namespace sallyport::relay {

inline constexpr std::chrono::minutes kNewcomerKept{10};  // an agent that is refused so tries again within reconnect_max, 60 s

struct RefusedNewcomer {
    std::string peer;
    WallTime first_at;
    WallTime last_at;
    unsigned attempts = 0;
    bool preferred = false;  // the owner's decision
};

class RefusedNewcomers {
public:
    void note(const std::string& agent_id, std::string peer, TimePoint now);
    std::optional<RefusedNewcomer> find(const std::string& agent_id, TimePoint now) const;
    // From now on the newcomer from that address is let in. False: no such one was refused lately.
    bool prefer(const std::string& agent_id, std::string_view peer, TimePoint now);
    bool is_preferred(const std::string& agent_id, std::string_view peer, TimePoint now) const;
    void forget(const std::string& agent_id) { notes_.erase(agent_id); }

private:
    struct Note {
        RefusedNewcomer newcomer;
        TimePoint forget_at;
    };
    std::unordered_map<std::string, Note> notes_;
};

}  // namespace sallyport::relay
