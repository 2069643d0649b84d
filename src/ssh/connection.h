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
#include "net/buffer_budget.h"
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
    std::string_view peer_version() const;                           // "SSH-2.0-OpenSSH_9.2p1 …", from the peer: escape before showing
    std::string_view cipher() const;                                 // that we receive by, once there are keys
    // Of the last keepalive, else what TCP measured.
    std::chrono::microseconds round_trip() const;
    TimePoint heard_at() const { return heard_at_; }                 // when octets last came
    ByteCount octets_in() const;                                     // of the socket, encrypted
    ByteCount octets_out() const;
    std::size_t open_channels() const { return channels_.size(); }
    ByteCount unread() const { return unread_; }  // in libssh, for slow readers
    // Asks for a sign of life now (one keepalive@openssh.com, unless one is under way).
    void ping();

protected:
    enum class Side { server, client };
    // `descriptor` is the connection's socket; libssh works on a duplicate of it, so that its closing that one by itself does no harm.
    Connection(Loop& loop, Side side, Descriptor descriptor, const ConnectionSettings& settings);

    enum class Handshake { under_way, done, failed };
    virtual Handshake shake_hands() = 0;               // moves the key exchange on, after each event until it is done
    virtual void take_message(Message message) = 0;
    virtual void after_events() = 0;                   // looks at what waits for the peer
    virtual void tell_closed(const Error& reason) = 0;
    // Before the login is done: something came that libssh made no message of, and then nothing for a while.
    virtual void on_swallowed() {}

    Result<int> duplicate_descriptor() const;          // for libssh, which closes it
    void begin(Session session);                       // the session has the duplicate
    void login_done();
    bool usable() const { return !closing_ && !over_; }
    ssh_session session() const { return session_.get(); }

    Result<> room_for_channel() const;
    // Starts opening by libssh's call.
    Result<ChannelPtr> open_channel(Channel::Owner& owner, const std::function<int(ssh_channel)>& ask);
    std::unique_ptr<IncomingChannel> incoming(Message message, ChannelOpen asked);
    void take_channel_request(Message message);

    // A global request of ours; one at a time is under way. `attempt` is libssh's call, repeated while it says SSH_AGAIN. `done` gets its
    // last result, SSH_ERROR also when the connection is over.
    struct GlobalRequest {
        std::function<int()> attempt;
        std::function<void(int result)> done;
    };
    void ask_globally(GlobalRequest request);

    void leave_loop();
    void join_loop(Loop& loop);
    // Another thread uses the session: nothing here touches it until it is back, and the connection's end waits for that.
    void lend_session();
    void take_session_back();
    virtual void cut_loan() {}  // make the other thread give it back at once
    void shut_socket();
    bool shaken_hands() const { return handshake_done_; }
    // A piece of the connection's work from outside the loop's own calls is done: what it caused is looked at before the turn ends.
    void settle_soon();
    Loop& loop() const { return *loop_; }

private:
    friend class ChannelCore;
    friend class IncomingChannelMessage;
    struct Bound;  // what is bound to a loop: watch, timers
    void on_readable() override;
    void on_writable() override;
    void work();  // delivers, sends, and looks at the state of things
    void receive();
    bool receive_once();
    void deliver();
    void send_round();
    void want_to_send(ChannelCore& core);
    bool may_send() const;  // libssh has nothing left to send
    void check_packets(std::size_t octets, std::uint64_t packets);  // of one write
    std::uint64_t packets_out() const { return packets_.out_packets; }
    void settle();
    void end();
    bool dead() const;
    Error reason_of_death() const;
    ChannelPtr adopt(ssh_channel handle, Channel::Owner& owner);
    void ready(ChannelCore& core);
    void run_global();
    void on_grace_over();
    void on_keepalive_due();
    bool is_server() const { return side_ == Side::server; }
    const ConnectionSettings& settings() const { return settings_; }
    std::chrono::microseconds round_trip_by_tcp() const;

    Loop* loop_;
    const Side side_;
    const ConnectionSettings settings_;
    Descriptor descriptor_;
    Session session_;
    SocketAddress peer_;
    std::unique_ptr<Bound> bound_;
    std::list<std::unique_ptr<ChannelCore>> channels_;
    std::vector<ChannelCore*> ready_;    // have something to deliver
    std::vector<ChannelCore*> senders_;  // have something to send, in the order in which they are served
    std::vector<Message> messages_;      // out of libssh's queue, in order
    std::vector<GlobalRequest> global_;  // the first is under way if global_started_
    ssh_counter_struct socket_octets_{};
    ssh_counter_struct packets_{};
    std::uint64_t packets_seen_ = 0;  // of those received
    std::uint64_t packets_when_empty_ = 0;
    ByteCount unread_ = 0;
    ByteCount unconsumed_ = 0;           // in owners' hands, of all channels
    HeldCount held_;                     // both
    std::vector<class IncomingChannelMessage*> opens_waiting_;  // without an answer
    TimePoint heard_at_{};
    TimePoint pinged_at_{};
    std::chrono::microseconds round_trip_{0};
    std::optional<Error> closing_;       // close() was called, or the session has died
    std::string farewell_;
    TimePoint farewell_until_{};
    bool handshake_begun_ = false;
    bool handshake_done_ = false;
    bool authenticated_ = false;
    bool working_ = false;
    bool sending_ = false;
    bool pinging_ = false;
    bool global_started_ = false;
    bool lent_ = false;
    bool told_channels_ = false;
    bool over_ = false;
    std::shared_ptr<Connection*> self_;  // for IncomingChannels, which may outlive it; null inside then
};

}  // namespace sallyport::ssh
