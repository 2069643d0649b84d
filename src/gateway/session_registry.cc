#include "gateway/session_registry.h"

#include <algorithm>

namespace sallyport::gateway {

SessionRegistry::~SessionRegistry() = default;

bool SessionRegistry::has_room(std::string_view user) const {
    if (sessions_.size() >= limits_.sessions) return false;
    const auto of_user = std::ranges::count_if(sessions_, [&](const auto& session) { return session->holder().user == user; });
    return static_cast<std::size_t>(of_user) < limits_.of_user;
}

TerminalSession& SessionRegistry::add(std::unique_ptr<TerminalSession> session) { return *sessions_.emplace_back(std::move(session)); }

void SessionRegistry::remove(TerminalSession& session) {
    const auto found = std::ranges::find_if(sessions_, [&](const auto& one) { return one.get() == &session; });
    if (found == sessions_.end()) return;
    loop_.dispose(std::move(*found));
    sessions_.erase(found);
}

std::vector<TerminalSession*> SessionRegistry::waiting(const SessionHolder& holder) const {
    std::vector<TerminalSession*> found;
    for (const auto& session : sessions_)
        if (session->holder() == holder && session->resumable()) found.push_back(session.get());
    // One whose client only seems gone was left just now.
    std::ranges::sort(found, {}, [](const TerminalSession* session) { return session->detached_for().value_or(Duration::zero()); });
    return found;
}

bool SessionRegistry::still_waiting(const TerminalSession* session, const SessionHolder& holder) const {
    return std::ranges::any_of(sessions_, [&](const auto& one) { return one.get() == session && one->holder() == holder && one->resumable(); });
}

void SessionRegistry::enforce_detached(const SessionHolder& holder) {
    std::vector<TerminalSession*> detached;
    for (TerminalSession* session : waiting(holder))
        if (session->detached_for()) detached.push_back(session);
    for (std::size_t i = limits_.detached_of_holder; i < detached.size(); ++i) detached[i]->hang_up();
}

std::size_t SessionRegistry::detached() const {
    return static_cast<std::size_t>(std::ranges::count_if(sessions_, [](const auto& session) { return session->detached_for().has_value(); }));
}

}  // namespace sallyport::gateway
