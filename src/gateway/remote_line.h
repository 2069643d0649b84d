// remote_line.h: one attempt to reach the remote for one user: dials, verifies the host key, logs in, and then is a connection that carries channels.
// Lives on the gateway's loop. leave() and Loop::dispose() end it: its connection may still call it until the end of the turn.
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

// What all lines have in common.
struct RemoteSite {
    Loop& loop;
    Workers& workers;
    Log& log;
    RemoteHostKeys& host_keys;
    std::string host;
    std::uint16_t port = 22;
    std::chrono::milliseconds connect_timeout{60'000};
    std::chrono::milliseconds keepalive_interval{15'000};
};

// Tried in order; a user's agent with every key it has.
using RemoteCredential = std::variant<ssh::PrivateKey, Secret, std::unique_ptr<ssh::AgentSocket>>;

class RemoteLine final : private ssh::ClientConnection::Owner {
public:
    class Owner {
    public:
        virtual void on_line_ready(RemoteLine& line) = 0;
        // It failed, or was lost later: the last call.
        virtual void on_line_over(RemoteLine& line, RefusalReason reason, std::string detail) = 0;
        virtual void on_line_channel(std::unique_ptr<ssh::IncomingChannel> channel) = 0;

    protected:
        ~Owner() = default;
    };

    // `credentials` and `owner` outlive the calls; an agent is taken out of `credentials`.
    RemoteLine(const RemoteSite& site, const std::string& user, std::vector<RemoteCredential>& credentials, std::chrono::milliseconds limit, Owner& owner);
    ~RemoteLine();
    RemoteLine(const RemoteLine&) = delete;
    RemoteLine& operator=(const RemoteLine&) = delete;

    void leave();  // no calls to the owner any more
    ssh::ClientConnection& connection() { return *connection_; }  // once it is ready
    void close(const Error& reason);
    // When the remote last said anything, else when dialling began.
    TimePoint heard_at() const { return connection_ ? connection_->heard_at() : began_at_; }

private:
    void on_host_key(const SshPublicKey& key) override;
    void on_login_refused(const ssh::LoginRefusal& refusal) override;
    void on_authenticated() override;
    void on_channel_requested(std::unique_ptr<ssh::IncomingChannel> channel) override;
    void on_connection_closed(const Error& reason) override;
    void take_connected(Result<Descriptor> connected);
    void try_next();
    void fail(RefusalReason reason, std::string detail);

    const RemoteSite site_;
    const std::string user_;
    std::vector<RemoteCredential>& credentials_;
    std::size_t next_credential_ = 0;
    const TimePoint began_at_;
    const std::chrono::milliseconds limit_;  // for connecting, and for logging in after it
    Owner* owner_;                           // null once it left, or was told the end
    std::unique_ptr<ssh::AgentSocket> agent_;  // of the login under way
    std::unique_ptr<Connector> connector_;
    std::unique_ptr<ssh::ClientConnection> connection_;
};

}  // namespace sallyport::gateway
