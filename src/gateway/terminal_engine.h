// terminal_engine.h: what carries one interactive terminal to the remote: mosh (MoshEngine), or a pty on an SSH channel. A session
// knows its engine by this interface only, so a native mosh could take mosh-client's place. Everything runs on one loop.
#pragma once
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/octets.h"
#include "gateway/terminal_size.h"

namespace sallyport::gateway {

// How the way to the remote does.
struct LinkState {
    std::optional<Duration> since_contact;  // since anything was heard from the remote; none: nothing yet
    std::optional<Duration> round_trip;     // smoothed
    std::optional<double> loss;             // share of the remote's datagrams that were lost lately, 0 to 1
    ByteCount received_octets = 0;          // from and to the remote, as they went over the link
    ByteCount sent_octets = 0;
};

// How a terminal came to its end.
struct TerminalEnd {
    enum class How {
        shell_ended,  // the remote's shell is over: exit_status or exit_signal tell how, where that is known
        no_contact,   // nothing ever came from the remote (mosh: UDP is blocked); another engine may do better
        lost,         // the remote or the engine is gone; `detail` says why
    };
    How how = How::lost;
    std::optional<int> exit_status;
    std::string exit_signal;      // RFC 4254 6.10 without SIG ("TERM"); empty: none
    std::string detail;           // for our log
    std::string cleanup_command;  // to run on the remote by SSH so that nothing stays behind there; empty: nothing to do
};

struct TerminalTraits {
    std::string_view name;      // "mosh" | "ssh", for logs and metrics
    bool sends_frames = false;  // octets show screen states and may skip what passed between two; else they are all there is
    bool shows_outage = false;  // it draws "last contact" itself while the link is down
};

class TerminalEngine {
public:
    class Owner {
    public:
        virtual void on_terminal_octets(Octets octets) = 0;  // what the terminal shows; valid during the call only
        virtual void on_terminal_contact() = 0;              // once: the remote has answered
        virtual void on_terminal_room() = 0;                 // write() took less than offered, now there is room
        virtual void on_terminal_end(const TerminalEnd& end) = 0;  // the last call. Don't destroy the engine in it: Loop::dispose

    protected:
        ~Owner() = default;
    };

    // Cuts whatever is left, calls nobody.
    virtual ~TerminalEngine() = default;

    virtual void start(Owner& owner, TerminalSize size) = 0;     // once, before anything else
    [[nodiscard]] virtual std::size_t write(Octets octets) = 0;  // keys; how many were taken: the rest after on_terminal_room
    virtual void pause(bool on) = 0;                             // no on_terminal_octets meanwhile: the far side is held back
    virtual void resize(TerminalSize size) = 0;
    // Asks for the whole screen anew as octets that don't depend on what was shown before. False: it can't, and the caller draws.
    virtual bool repaint() = 0;
    virtual void hang_up() = 0;  // the shell gets a hang-up; on_terminal_end follows, at latest after some seconds
    virtual LinkState link() const = 0;
    // Asks the remote for a sign of life now, so that silence means something; for engines that don't do so every few seconds anyway.
    virtual void seek_contact() {}
    virtual TerminalTraits traits() const = 0;
};

}  // namespace sallyport::gateway
