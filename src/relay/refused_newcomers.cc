#include "relay/refused_newcomers.h"

namespace sallyport::relay {

// Another address is another newcomer: what was decided for the one before says nothing about it.
void RefusedNewcomers::note(const std::string& agent_id, std::string peer, TimePoint now) {
    Note& note = notes_[agent_id];
    if (note.newcomer.peer != peer || note.forget_at <= now) note.newcomer = {std::move(peer), wall_now(), {}, 0, false};
    note.newcomer.last_at = wall_now();
    ++note.newcomer.attempts;
    note.forget_at = now + kNewcomerKept;
}

std::optional<RefusedNewcomer> RefusedNewcomers::find(const std::string& agent_id, TimePoint now) const {
    const auto found = notes_.find(agent_id);
    if (found == notes_.end() || found->second.forget_at <= now) return std::nullopt;
    return found->second.newcomer;
}

bool RefusedNewcomers::prefer(const std::string& agent_id, std::string_view peer, TimePoint now) {
    const auto found = notes_.find(agent_id);
    if (found == notes_.end() || found->second.forget_at <= now || found->second.newcomer.peer != peer) return false;
    found->second.newcomer.preferred = true;
    found->second.forget_at = now + kNewcomerKept;
    return true;
}

bool RefusedNewcomers::is_preferred(const std::string& agent_id, std::string_view peer, TimePoint now) const {
    const auto found = find(agent_id, now);
    return found && found->preferred && found->peer == peer;
}

}  // namespace sallyport::relay
