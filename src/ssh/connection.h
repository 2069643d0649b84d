// connection.h: what both sides share: one libssh session, never blocking, driven by a Watch on its loop, with bounds in octets, number and
// time. Its descriptor is closed with it. Owners are called outside libssh only (from the loop, or inside a call of theirs that says
// so). Close it, or let it report its end, then dispose of it (Loop::dispose), never inside one of its own callbacks; every
// Channel of it is over by then.
//
// Bounds: the login grace covers handshake and authentication; channels (also those of which the peer's CLOSE is outstanding) are counted,
// further ones are refused; octets that wait in libssh for channels whose readers are slow stop all receiving at most_unread;
// a peer that sends nothing, not even an answer to keepalive@openssh.com, is given up. What libssh holds to be sent is at most one
// round of pulls (256 KiB) and its own short messages; while it holds something, no message of the peer is answered but by libssh
// itself.
#pragma once
#include <chrono>
#include <functional>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/octets.h"
#include "base/result.h"
#include "net/descriptor.h"
#include "net/loop.h"
#include "net/socket_address.h"
#include "ssh/channel.h"
#include "ssh/handles.h"

namespace sallyport::ssh {

// Once, before the first connection and before threads start: libssh's own set-up, and its log silenced.
void start_library();

struct ConnectionSettings {
    std::chrono::milliseconds login_grace{30'000};
    std::chrono::milliseconds keepalive_interval{15'000};  // an answer is asked for this often, busy or not; 0: never
    unsigned keepalive_count_max = 3;                      // intervals without one octet from the peer: closed with timeout
    std::size_t most_channels = 256;
    ByteCount most_unread = 16_MiB;      // in libssh, of all channels
    ByteCount largest_window = 8_MiB;    // of one channel, while its reader keeps up and the round trip is long enough to need it
    ByteCount rekey_octets = 1_GiB;      // then new keys (RFC 4253 9)
    std::chrono::seconds rekey_time{3600};
    bool agent_forwarding = false;       // server: answer to auth-agent-req@openssh.com
};

class Connection : private Watch::Owner {
public:
    virtual ~Connection();
    Connection(const Connection&) = delete;
    Connection& operator=(const Connection&) = delete;

    // Channels are told (unreachable), then the owner gets on_connection_closed from the loop, not inside this call. With `text`
    // the peer is told in SSH_MSG_DISCONNECT; OpenSSH prints it: "Received disconnect from ADDRESS port N:11: TEXT". One line,
    // printable, at most 400 octets.
    void close(Error reason, std::string text = {});

    const SocketAddress& peer_address() const { return peer_; }
    bool authenticated() const { return authenticated_; }
    std::string_view peer_version() const { return peer_version_; }  // "SSH-2.0-OpenSSH_9.2p1 …", from the peer: escape before showing
    std::string_view cipher() const;                                 // that we receive by, once there are keys
    // Of the last keepalive, else what TCP measured.
    std::chrono::microseconds round_trip() const;
    TimePoint heard_at() const { return heard_at_; }                 // when octets last came
    ByteCount octets_in() const;                                     // of the socket, encrypted
    ByteCount octets_out() const;
    std::size_t open_channels() const { return channels_.size(); }
    // Asks for a sign of life now (one keepalive@openssh.com, unless one is under way).
    void ping();

protected:
    // `descriptor` is the connection's socket; libssh works on a duplicate, so that closing it by itself does no harm here.
    Connection(Loop& loop, Descriptor descriptor, const ConnectionSettings& settings);

    enum class Progress { more, done };  // key exchange
    virtual Progress handshake() = 0;              // after each event until it is done
    virtual void take_message(Message message) = 0;
    virtual void after_events() = 0;               // what waits for an answer of the peer
    virtual void tell_closed(const Error& reason) = 0;

    bool usable() const;                           // neither closing nor over
    void set_session(Session session);             // libssh's descriptor is a duplicate of ours
    int duplicate_descriptor();                    // for libssh; it closes it
    void begin();                                  // once the session is set: watches and times
    void authenticated_now();
    void settle_soon();                            // after each libssh call from outside
    Result<> room_for_channel() const;
    ChannelPtr adopt(ssh_channel handle, Channel::Owner& owner);  // one that is open
    // Starts opening; `ask` is libssh's call, made once.
    Result<ChannelPtr> open_channel(Channel::Owner& owner, const std::function<int(ssh_channel)>& ask);
    std::unique_ptr<IncomingChannel> incoming(Message message, ChannelOpen asked);
    void take_channel_request(Message message);
    void fail(Error reason);
    ssh_session session() const { return session_.get(); }
    Loop& loop() const { return *loop_; }
    const ConnectionSettings& settings() const { return settings_; }

    // Moving to another loop: gives up what is bound to this one.
    void leave_loop();
    void join_loop(Loop& loop);

    // A global request of ours, one at a time (keepalive, tcpip-forward …): `attempt` is libssh's call, repeated until it isn't SSH_AGAIN.
    struct GlobalRequest {
        std::function<int()> attempt;
        std::function<void(int result)> done;
        bool started = false;
    };
    void ask_globally(GlobalRequest request);

private:
    friend class ChannelCore;
    friend class IncomingChannelMessage;
    struct Bound;  // to a loop: watch, timers
    void on_readable() override;
    void on_writable() override;
    void work();                       // delivers, sends, settles
    void receive();
    void deliver();
    void deliver_channel(ChannelCore& core);
    void send_round();
    bool may_send() const;             // libssh has nothing left to send
    void settle();
    void finish(Error reason);
    void over();
    void ready(ChannelCore& core);
    void keepalive_due();
    void check_life();
    void run_global();
    bool dead() const;

    Loop* loop_;
    ConnectionSettings settings_;
    Descriptor descriptor_;
    Session session_;
    SocketAddress peer_;
    std::string peer_version_;
    std::unique_ptr<Bound> bound_;
    std::list<std::unique_ptr<ChannelCore>> channels_;
    std::vector<ChannelCore*> ready_;     // have something to deliver
    std::vector<ChannelCore*> senders_;   // have something to send, in the order in which they are served
    std::vector<Message> messages_;       // taken from libssh, not handled yet
    std::vector<GlobalRequest> global_;
    ssh_counter_struct socket_octets_{};
    ssh_counter_struct packets_{};
    std::uint64_t packets_when_empty_ = 0;
    ByteCount unread_ = 0;
    std::size_t opens_waiting_ = 0;       // IncomingChannels not answered
    TimePoint heard_at_{};
    TimePoint asked_at_{};
    std::chrono::microseconds round_trip_{0};
    std::optional<Error> closing_;        // close() was called, or the session died
    std::string farewell_;
    bool handshake_done_ = false;
    bool authenticated_ = false;
    bool working_ = false;
    bool over_ = false;
    std::shared_ptr<Connection*> self_;   // null inside once it is destroyed
};

}  // namespace sallyport::ssh
