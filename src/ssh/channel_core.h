// channel_core.h: what stands behind a Channel, owned by its connection: libssh's channel, its callbacks (which only note what came), and
// what has to be delivered or sent. It outlives the Channel until the peer's CLOSE has come. Internal to src/ssh.
#pragma once
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "ssh/channel.h"
#include "ssh/handles.h"

#include <libssh/callbacks.h>  // behind handles.h, which asks for no warnings

namespace sallyport::ssh {

class Connection;

class ChannelCore {
public:
    enum class State {
        opening,  // CHANNEL_OPEN is sent
        open,
        closing,  // our CLOSE is sent, the peer's is not here yet; nobody is told anything more
        over,     // to be taken away
    };

    ChannelCore(Connection& connection, ssh_channel handle, State state, Channel::Owner& owner);
    ~ChannelCore();
    ChannelCore(const ChannelCore&) = delete;
    ChannelCore& operator=(const ChannelCore&) = delete;

    ChannelPtr make_channel();

    // ---- From the connection
    State state() const { return state_; }
    ssh_channel handle() const { return handle_; }
    bool waits_for_answer() const { return state_ == State::opening || !operations_.empty(); }
    void deliver();
    bool wants_to_send() const;
    ByteCount send(ByteCount most);  // how many octets went
    void take_request(Message message);
    bool has_room() const;                      // what wants to be sent can be, but for the socket
    void connection_lost(const Error& reason);  // libssh frees the handle with the session
    void set_silent() { owner_ = nullptr; }

    // ---- From the Channel
    void set_owner(Channel::Owner& owner) { owner_ = &owner; }
    void wake();
    void consumed(ByteCount octets);
    void answer(Channel::Answer answer);
    void send_exit(const ExitStatus& status);
    void release();
    void ask(std::function<int(ssh_channel)> attempt, Channel::Done done);
    ByteCount octets_in() const { return octets_in_; }
    ByteCount octets_out() const { return octets_out_; }

    // ---- The connection's marks: whether it stands in the list.
    bool in_ready = false;
    bool in_senders = false;

private:
    struct Operation {
        std::function<int(ssh_channel)> attempt;
        Channel::Done done;
        bool started = false;
        int result = SSH_AGAIN;
    };
    enum class Kind { standard, error };

    static int on_data(ssh_session, ssh_channel, void* data, std::uint32_t length, int is_stderr, void* self);
    static void on_eof(ssh_session, ssh_channel, void* self);
    static void on_close(ssh_session, ssh_channel, void* self);
    static void on_signal(ssh_session, ssh_channel, const char* name, void* self);
    static void on_exit_status(ssh_session, ssh_channel, int status, void* self);
    static void on_exit_signal(ssh_session, ssh_channel, const char* name, int core, const char* message, const char* language, void* self);
    static void on_agent_request(ssh_session, ssh_channel, void* self);
    void note(ChannelRequest event);

    void look_whether_open();
    void start_operation();
    bool operations_started() const { return operations_.empty() || (operations_.size() == 1 && operations_.front().started); }
    void run_operations();
    void deliver_requests();
    bool ask_owner(const ChannelRequest& request, Message message);
    void drain(Kind kind);
    std::uint32_t window_to_ask(std::uint32_t pending);
    ByteCount pull(Kind kind, MutableOctets room);
    std::size_t write(Kind kind, Octets octets);
    void write_unsent();
    void send_exit_now();
    void close_now();
    void detach();
    void fail_operations();

    Connection& connection_;
    ssh_channel handle_;
    State state_;
    Channel* channel_ = nullptr;
    Channel::Owner* owner_;  // null: nobody is to be told
    ssh_channel_callbacks_struct callbacks_{};

    std::uint32_t pending_ = 0;        // octets in libssh's buffer for us
    std::uint32_t pending_error_ = 0;
    ByteCount unconsumed_ = 0;
    ByteCount octets_in_ = 0;
    ByteCount octets_out_ = 0;
    ByteCount window_;                 // that we want the peer to have; libssh's own until it grows
    ByteCount since_growth_ = 0;       // octets received
    ByteCount since_asked_ = 0;
    TimePoint measured_from_{};
    std::string unsent_;               // pulled, and not taken by libssh while keys are exchanged
    std::size_t unsent_at_ = 0;
    Kind unsent_kind_ = Kind::standard;
    std::vector<Operation> operations_;
    std::vector<std::pair<ChannelRequest, Message>> requests_;  // without a message: a note without an answer
    std::optional<ExitStatus> exit_in_;
    std::optional<ExitStatus> exit_out_;
    bool request_asked_ = false;       // the first of requests_ waits for the owner's answer
    bool eof_seen_ = false;
    bool eof_told_ = false;
    bool close_seen_ = false;
    bool wanting_ = false;             // the owner has something to send
    bool end_pulled_ = false;
    bool eof_sent_ = false;
    bool close_wanted_ = false;
    bool has_written_ = false;
};

}  // namespace sallyport::ssh
