// channel.h: one channel of an SSH connection (RFC 4254 5): octets both ways, EOF and CLOSE, requests both ways. Lives on its
// connection's loop. Shaped like tunnel/stream.h.
//
// Receiving is pushed, in pieces, until kMostUnconsumed octets are in the owner's hands; consumed() says that some have left
// them. What then still comes waits in libssh, which grants windows by itself (1.28 MB, more while the reader keeps up, up to
// ConnectionSettings::largest_window); connection.h says what bounds the sum. Sending is pulled: wake() says that there is
// something, then the connection calls on_channel_pull() while the window is open and its socket takes octets, often inside
// wake() itself.
//
// EOF is one direction's end, CLOSE the channel's. libssh sends EOF before each CLOSE, so the peer can't tell a channel that was
// cut from one that ended: sshd has the same limit. We can tell: CLOSE without EOF before it is reported as Errc::reset.
//
// The owner may destroy the Channel at any time, inside its own callbacks too: that closes it (also one that is still being opened:
// the CLOSE then waits inside for the answer), and no calls follow. Every Channel is over before its connection is.
#pragma once
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "base/octets.h"
#include "base/result.h"
#include "tunnel/stream.h"

namespace sallyport::ssh {

class ChannelCore;

// RFC 4254 6.2 and 6.7. A client may send 0 for both (and OpenSSH does without a terminal): whoever starts a terminal clamps.
struct TerminalSize {
    std::uint32_t columns = 80;
    std::uint32_t rows = 24;
    std::uint32_t width_pixels = 0;
    std::uint32_t height_pixels = 0;
};

// What a client asks for on its session channel (RFC 4254 6). x11-req, unknown ones and over-long ones (kMaxRequestText) are
// refused before anybody sees them.
struct ChannelRequest {
    enum class Kind {
        pty,            // text: TERM; size. The terminal modes are not to be had from libssh 0.10
        window_change,  // size; no answer is sent
        env,            // text: name; value
        shell,
        exec,           // text: command
        subsystem,      // text: name
        signal,         // text: name without "SIG"; no answer is sent
        agent,          // auth-agent-req@openssh.com; answered already, with ConnectionSettings::agent_forwarding
    };
    Kind kind{};
    std::string text{};
    std::string value{};
    TerminalSize size{};
};
inline constexpr std::size_t kMaxRequestText = 64 * 1024;

// How a remote command ended: exit-status or exit-signal (RFC 4254 6.10).
struct ExitStatus {
    std::uint32_t code = 0;
    std::string signal{};   // without "SIG"; empty: it exited with `code`
    std::string message{};  // from the peer: escape before showing
    bool core_dumped = false;
};

class Channel final {
public:
    using Pulled = Stream::Pulled;
    enum class Answer { accept, refuse, later };

    class Owner {
    public:
        // A channel that we asked for: one of the two. Refused is the last call; the code is Errc::refused with the peer's text
        // in detail (escape before showing), or no_space ("resource shortage"), or unreachable (RFC 4254 5.1 "connect failed").
        virtual void on_channel_open() {}
        virtual void on_channel_refused(const Error&) {}

        virtual void on_channel_octets(Octets octets) = 0;     // valid during the call only
        virtual void on_channel_error_octets(Octets octets) {  // extended data: stderr. Counts with the others for consumed()
            on_channel_octets(octets);
        }
        virtual void on_channel_eof() = 0;
        // The last call: end_of_stream: closed by the peer after its EOF; reset: closed by the peer without one;
        // unreachable: the connection is gone.
        virtual void on_channel_closed(const Error& reason) = 0;

        // Writes at most `room.size()` octets (never 0) to the front of `room`. {0, false}: nothing now, wake() follows.
        // end: nothing follows these, not on stderr either: EOF is sent.
        virtual Pulled on_channel_pull(MutableOctets room) = 0;
        // The same for stderr, which only a server may send; `end` has no meaning here. Pulled before the other.
        virtual Pulled on_channel_pull_error(MutableOctets) { return {}; }

        // One at a time and in order: while one waits for answer(), the next are held back (at most kMostHeldRequests, then the
        // connection is closed).
        virtual Answer on_channel_request(const ChannelRequest&) { return Answer::refuse; }
        // Behind the octets that came before it and before on_channel_closed, if at all.
        virtual void on_channel_exit(const ExitStatus&) {}

    protected:
        ~Owner() = default;
    };

    ~Channel();  // closes
    Channel(const Channel&) = delete;
    Channel& operator=(const Channel&) = delete;

    bool open() const;  // has been opened, and is not over
    void set_owner(Owner& owner);

    void wake();                      // also for stderr
    void consumed(ByteCount octets);
    void answer(Answer answer);       // to the request that waits: accept or refuse

    // To a client: how its command ended. Sent behind all that was pulled so far; comes before the EOF.
    void send_exit(const ExitStatus& status);
    // Sends CLOSE behind what was pulled so far; octets not pulled yet are not sent, those of the peer are dropped. No calls to the owner
    // after it. The same as destroying.
    void close();

    // ---- As the client. Each request waits for the answer to the one before it (libssh can't do otherwise: a round trip each), and octets to be sent wait until those before them
    // are on their way; `done` tells whether it was accepted (false, too,
    // when the channel is over before an answer) and is never called inside the call, nor after the Channel's end. May be empty.
    using Done = std::function<void(bool accepted)>;
    void request_pty(std::string term, TerminalSize size, Done done);
    void request_env(std::string name, std::string value, Done done);
    void request_shell(Done done);
    void request_exec(std::string command, Done done);
    void request_subsystem(std::string name, Done done);
    void request_agent();  // no answer
    void send_window_change(TerminalSize size);
    void send_signal(std::string name);  // without "SIG"

    ByteCount octets_in() const;   // so far, both kinds
    ByteCount octets_out() const;

    static constexpr ByteCount kMostUnconsumed = 256_KiB;
    static constexpr std::size_t kMostHeldRequests = 32;

private:
    friend class ChannelCore;
    explicit Channel(ChannelCore& core) : core_(&core) {}
    ChannelCore* core_;  // null once it is over
};

using ChannelPtr = std::unique_ptr<Channel>;

// A channel that the peer wants to open (RFC 4254 5.1). Answer now or later; destroying it refuses. May outlive the connection.
struct ChannelOpen {
    enum class Kind {
        session,          // at a server
        direct_tcpip,     // at a server: connect to address and port
        forwarded_tcpip,  // at a client: came in at address and port, as they stood in our tcpip-forward
        agent,            // at a client: the server asks our agent (auth-agent@openssh.com)
    };
    Kind kind{};
    std::string address{};
    std::uint16_t port = 0;
    std::string origin_address{};  // as the peer says, for logs only
    std::uint16_t origin_port = 0;
};

class IncomingChannel {
public:
    virtual ~IncomingChannel() = default;
    virtual const ChannelOpen& asked() const = 0;
    // Fails with Errc::reset if the connection is gone. The owner may be called only after this returned.
    virtual Result<ChannelPtr> accept(Channel::Owner& owner) = 0;
    // SSH_OPEN_ADMINISTRATIVELY_PROHIBITED with an empty text: libssh 0.10 can't say another. OpenSSH prints "open failed:
    // administratively prohibited".
    virtual void refuse() = 0;
    // Called when the connection is over before an answer; not inside a call.
    virtual void on_lost(std::function<void(const Error&)> lost) = 0;
};

}  // namespace sallyport::ssh
