// remote_link.h: one SSH connection to the remote, for one user: dials, verifies the host key, logs in, and then carries channels.
// Held by shared_ptr: a user's connection and his terminal sessions, which may outlive it, use the same one; it ends with the last
// of them. Lives on the gateway's loop.
#pragma once
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "base/secret.h"
#include "gateway/admission.h"
#include "gateway/remote_host_keys.h"
#include "net/connector.h"
#include "ssh/agent_socket.h"
#include "ssh/client_connection.h"

namespace sallyport::gateway {

// What all links have in common.
struct RemoteSite {
    Loop& loop;
    Workers& workers;
    Log& log;
    RemoteHostKeys& host_keys;
    std::string host;
    std::uint16_t port = 22;
    std::chrono::milliseconds connect_timeout{30'000};
    std::chrono::milliseconds keepalive_interval{15'000};
};

// Tried in order; a user's agent with every key it has.
using RemoteCredential = std::variant<ssh::PrivateKey, Secret, std::unique_ptr<ssh::AgentSocket>>;

struct RemoteFailure {
    RefusalReason reason = RefusalReason::remote_unreachable;
    std::string detail{};    // for our log
    bool was_ready = false;  // the user had been let in
    std::string_view for_user() const;
};

class RemoteLink final : public std::enable_shared_from_this<RemoteLink> {
public:
    // Told once, in the order of add(), from the loop; may be removed at any time.
    class Waiter {
    public:
        virtual void on_link_ready(RemoteLink& link) = 0;
        virtual void on_link_over(RemoteLink& link, const RemoteFailure& why) = 0;  // it failed, or was lost later: the last call

    protected:
        ~Waiter() = default;
    };
    // Who gets what the remote opens (connections at forwards, its way to the user's agent). One at a time; nobody: refused.
    class Receiver {
    public:
        virtual void on_link_channel(std::unique_ptr<ssh::IncomingChannel> channel) = 0;

    protected:
        ~Receiver() = default;
    };

    RemoteLink(const RemoteSite& site, std::string user, std::vector<RemoteCredential> credentials);
    ~RemoteLink();
    RemoteLink(const RemoteLink&) = delete;
    RemoteLink& operator=(const RemoteLink&) = delete;

    bool ready() const { return state_ == State::ready; }
    bool over() const { return state_ == State::over; }
    const RemoteFailure& failure() const { return failure_; }  // once it is over
    void add(Waiter& waiter);        // not told of what was before
    void remove(Waiter& waiter);
    void set_receiver(Receiver* receiver) { receiver_ = receiver; }
    void unset_receiver(const Receiver& receiver) {
        if (receiver_ == &receiver) receiver_ = nullptr;
    }

    // Once ready, and until over.
    ssh::ClientConnection& connection();
    const std::string& user() const { return user_; }
    TimePoint made_at() const { return made_at_; }

private:
    enum class State { dialling, logging_in, ready, over };
    // The connection and its owner, which stays until the end of the turn when nobody needs the link any more.
    struct Line;
    void judge_host(const SshPublicKey& key);
    void note_refusal();
    void note_login();
    void note_closed(const Error& reason);
    void take_connected(Result<Descriptor> connected);
    void try_next();
    void fail(RefusalReason reason, std::string detail);
    template <class Tell>
    void tell_all(Tell&& tell);

    RemoteSite site_;
    const std::string user_;
    std::vector<RemoteCredential> credentials_;
    std::size_t next_credential_ = 0;
    std::unique_ptr<ssh::AgentSocket> agent_;  // of the login under way
    const TimePoint made_at_;
    State state_ = State::dialling;
    RemoteFailure failure_;
    std::vector<Waiter*> waiters_;
    Receiver* receiver_ = nullptr;
    std::unique_ptr<Connector> connector_;
    std::unique_ptr<Line> line_;
};

using RemoteLinkPtr = std::shared_ptr<RemoteLink>;

}  // namespace sallyport::gateway
