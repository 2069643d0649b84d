// terminal_session.h: one interactive session of a user: a TerminalEngine, the screen and scrollback that it made, and at most one
// client that looks at it. It outlives its client: detached, it goes on for Settings::detach_timeout and can be attached again at
// another size. Lives on one loop; everything between the client's SSH channel and the engine passes through here.
//
// Keys: the escape key (Ctrl-^) and then d detaches, . ends the session, PageUp or [ opens the scrollback, r redraws, ? lists
// these, the escape key again sends it. Everything else passes untouched.
#pragma once
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "base/clock.h"
#include "base/octets.h"
#include "gateway/terminal_engine.h"
#include "net/loop.h"

namespace sallyport::gateway {

// Whose session it is. Nobody else is ever offered it.
struct SessionHolder {
    std::string user;
    std::string key;  // fingerprint "SHA256:…" of the key that logged in, or "password"
    auto operator<=>(const SessionHolder&) const = default;
};

// The client's side: an SSH channel with a pty.
class SessionClient {
public:
    virtual void on_session_octets_ready() = 0;  // pull() has something
    virtual void on_session_room() = 0;          // input() took less than offered, now there is room
    // The last call, at the end of a turn after all octets were pulled: the session ended, or this client was detached from it.
    struct Leave {
        enum class Why { ended, detached, taken_over };
        Why why = Why::ended;
        std::optional<int> exit_status;  // for exit-status (RFC 4254 6.10); with `ended` only
        std::string exit_signal;
        std::string message;             // one line for the user without line end, to go to standard error; may be empty
    };
    virtual void on_session_left(const Leave& leave) = 0;
    // True when the client hasn't answered a keepalive for a while: its session is then offered to a newcomer of the same holder.
    virtual bool seems_gone() const { return false; }

protected:
    ~SessionClient() = default;
};

class TerminalSession final : TerminalEngine::Owner {
public:
    struct Settings {
        std::chrono::seconds detach_timeout{3'600};  // 0: ends when its client goes
        std::size_t scrollback_lines = 10'000;
        ByteCount scrollback_octets = 1'500'000;
        int escape_key = 0x1E;                       // Ctrl-^; -1: none
        std::chrono::seconds outage_after{7};        // without contact for so long, the status line is shown
    };
    class Owner {
    public:
        // The engine never reached the remote. Another engine to go on with, and one line that tells the user why; null: give up.
        struct Replacement {
            std::unique_ptr<TerminalEngine> engine;
            std::string notice;
        };
        virtual Replacement on_session_no_contact(TerminalSession& session, const TerminalEnd& end) = 0;
        // The last call, exactly once. Its end may name a command for the remote (cleanup_command). Not to be destroyed in it.
        virtual void on_session_end(TerminalSession& session, const TerminalEnd& end) = 0;

    protected:
        ~Owner() = default;
    };

    // Nothing runs before start(). `notice`: one line that is shown first ("using plain SSH: …"), or empty.
    TerminalSession(Loop& loop, const Settings& settings, SessionHolder holder, std::unique_ptr<TerminalEngine> engine, Owner& owner);
    ~TerminalSession();

    void start(TerminalSize size, std::string_view notice);

    // ---- the client's calls
    // Takes the place of the client before, if there is one. Its screen is drawn whole.
    void attach(SessionClient& client, TerminalSize size);
    // The client is gone or going: no more calls to it. Ends the session where detach_timeout is 0.
    void detach(SessionClient& client);
    // Up to `room.size()` octets for the client's terminal; 0: nothing now, on_session_octets_ready follows.
    std::size_t pull(MutableOctets room);
    [[nodiscard]] std::size_t input(Octets octets);  // keys; how many were taken: the rest after on_session_room
    void resize(TerminalSize size);
    void hang_up();  // ends the shell (by an operator, or at the end of detach_timeout)

    // ---- about it
    const SessionHolder& holder() const;
    bool attached() const;            // to a client that doesn't seem gone
    bool resumable() const;           // goes on, and isn't attached
    Duration age() const;             // since start
    Duration idle() const;            // since the last key
    std::optional<Duration> detached_for() const;
    std::string title() const;        // what its programs set; harmless in a terminal, at most 80 characters
    LinkState link() const;
    TerminalTraits traits() const;
    std::size_t memory() const;       // octets held for screen, scrollback and buffers

private:
    void on_terminal_octets(Octets octets) override;
    void on_terminal_contact() override;
    void on_terminal_room() override;
    void on_terminal_end(const TerminalEnd& end) override;
    struct State;  // Pimpl: most of what is inside concerns nobody who holds sessions
    std::unique_ptr<State> state_;
};

}  // namespace sallyport::gateway
