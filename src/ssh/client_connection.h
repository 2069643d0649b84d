// client_connection.h: our side of a connection to an SSH server. The owner judges the host key, logs in, then opens channels and asks the
// server to listen. Reads no file of the system's or the user's (no ssh_config, known_hosts, keys, agent).
// See connection.h for its life and bounds, channel.h for channels.
#pragma once
#include <memory>
#include <string>

#include "base/secret.h"
#include "ssh/connection.h"
#include "ssh/key_file.h"

namespace sallyport::ssh {

struct ClientSettings : ConnectionSettings {
    std::string user;  // who logs in; at most 256 octets. libssh refuses shell metacharacters
    std::vector<std::string> known_key_types{};  // of the server's keys that are known ("ssh-rsa"): asked for before the others
};

// What the server still takes after a refusal (RFC 4252 5.1).
struct LoginRefusal {
    bool partial = false;     // that one was right, and another is needed on top
    bool public_key = false;
    bool password = false;
    bool keyboard_interactive = false;
    std::string banner{};     // SSH_MSG_USERAUTH_BANNER so far; escape before showing
};

class AgentLogin;

class ClientConnection final : public Connection {
public:
    class Owner {
    public:
        // Keys are agreed upon; nothing more is sent until trust_host() (or close()), now or later.
        virtual void on_host_key(const SshPublicKey& key) = 0;
        virtual void on_login_refused(const LoginRefusal& refusal) = 0;  // try another, or close
        virtual void on_authenticated() = 0;
        // forwarded_tcpip or agent.
        virtual void on_channel_requested(std::unique_ptr<IncomingChannel> channel) { channel->refuse(); }
        virtual void on_connection_closed(const Error& reason) = 0;  // the last call

    protected:
        ~Owner() = default;
    };

    // Over a connected socket. Errors: invalid_argument (user), no_space, internal.
    static Result<std::unique_ptr<ClientConnection>> make(Loop& loop, Descriptor connected, const ClientSettings& settings, Owner& owner);
    ~ClientConnection() override;

    void trust_host();
    const SshPublicKey& host_key() const { return host_key_; }

    // After trust_host(), one at a time: on_authenticated or on_login_refused follows, not inside the call.
    void log_in_with_none();  // tells which methods there are
    void log_in_with_key(const PrivateKey& key);
    void log_in_with_password(const Secret& password);
    // With every key of an agent that speaks the agent protocol on `agent` (AgentSocket makes one of a channel). Runs in a
    // thread of its own meanwhile, because libssh waits for the agent; bounded by the login grace.
    void log_in_with_agent(Descriptor agent);

    // tcpip-forward: `done` gets the port (what was asked for, or of 0 the allocated one), or refused, or reset (the connection is
    // gone). One is asked at a time. Never called inside the call.
    using ForwardDone = std::function<void(Result<std::uint16_t>)>;
    void request_forward(std::string address, std::uint16_t port, ForwardDone done);
    void cancel_forward(std::string address, std::uint16_t port);

    // Errors: no_space (channels), reset (closed).
    Result<ChannelPtr> open_session(Channel::Owner& owner);
    Result<ChannelPtr> open_direct(Channel::Owner& owner, const std::string& host, std::uint16_t port, const std::string& origin_ip,
                                   std::uint16_t origin_port);

private:
    ClientConnection(Loop& loop, Descriptor connected, const ClientSettings& settings, Owner& owner);
    Handshake shake_hands() override;
    void take_message(Message message) override;
    void after_events() override;
    void tell_closed(const Error& reason) override;
    void cut_loan() override;
    void log_in(std::function<int()> attempt);
    void look_at_login();
    void login_result(int result);

    Owner* owner_;
    const std::string user_;
    SshPublicKey host_key_;
    bool host_key_asked_ = false;
    bool trusted_ = false;
    std::function<int()> login_;  // libssh's call, repeated while it says SSH_AUTH_AGAIN
    std::unique_ptr<AgentLogin> agent_login_;
};

}  // namespace sallyport::ssh
