// session_registry.h: all terminal sessions of the gateway, by their holder; who may have how many, and which one waits for whom.
// Owns the sessions. Lives on one loop.
#pragma once
#include <map>
#include <memory>
#include <vector>

#include "gateway/terminal_session.h"

namespace sallyport::gateway {

class SessionRegistry {
public:
    struct Limits {
        std::size_t sessions = 500;            // in all
        std::size_t of_user = 50;
        std::size_t detached_of_holder = 10;   // the one that waited longest is hung up for one more
    };

    SessionRegistry(Loop& loop, const Limits& limits) : loop_(loop), limits_(limits) {}
    ~SessionRegistry();

    bool has_room(std::string_view user) const;
    TerminalSession& add(std::unique_ptr<TerminalSession> session);
    void remove(TerminalSession& session);  // by whoever owns it, in on_session_end; deleted at the end of the turn

    // Those that this holder may take up again, the one left last first: detached, or attached to a client that seems gone.
    std::vector<TerminalSession*> waiting(const SessionHolder& holder) const;
    // A pointer got from waiting() some time ago: is it still there and still waiting?
    bool still_waiting(const TerminalSession* session, const SessionHolder& holder) const;

    // A client has just left one of this holder's sessions: too many waiting ones end.
    void enforce_detached(const SessionHolder& holder);

    std::size_t size() const { return sessions_.size(); }
    std::size_t detached() const;
    template <class Visit>
    void each(Visit&& visit) const {
        for (const auto& session : sessions_) visit(*session);
    }

private:
    Loop& loop_;
    const Limits limits_;
    std::vector<std::unique_ptr<TerminalSession>> sessions_;
};

}  // namespace sallyport::gateway
