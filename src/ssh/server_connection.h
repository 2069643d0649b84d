// server_connection.h: one accepted SSH client: handshake, authentication, requests to forward, channels. Everything that asks is answered now
// or later. See connection.h for its life and bounds, channel.h for channels.
//
// What a client's user sees of texts (OpenSSH): a banner sent before the login is done, at once and unless -q; the text of close(),
// always; text on the stderr of a session channel, where the user has one (not with -N). Of a refused -R it prints only "remote
// port forwarding failed for listen port N" ("Error: …" and exit with ExitOnForwardFailure), of a refused channel "open failed:
// administratively prohibited: ". SSH_MSG_DEBUG is shown with -v only. So a refusal after the login that the user must understand
// is: refuse, then close() with the text.
#pragma once
#include <memory>
#include <string>

#include "base/secret.h"
#include "ssh/connection.h"
#include "ssh/key_file.h"

namespace sallyport::ssh {

struct ServerSettings : ConnectionSettings {
    unsigned most_login_attempts = 20;  // requests of any method, then SSH_MSG_DISCONNECT
    std::string version = "Sallyport";  // "SSH-2.0-Sallyport"
    // Of user keys that libssh verifies. A signature by a shorter one it doesn't answer at all, and the client waits until the grace time
    // is over: so this is low, and owners ask check_strong().
    unsigned rsa_min_bits = 1024;
};

// What all connections of one loop share: the host key and the algorithms. One per loop, made once, outlives its connections.
class ServerHost {
public:
    static Result<ServerHost> make(const PrivateKey& host_key, const ServerSettings& settings);
    const SshPublicKey& public_key() const { return public_key_; }
    const ServerSettings& settings() const { return settings_; }

private:
    friend class ServerConnection;
    ServerHost() = default;
    Bind bind_;
    SshPublicKey public_key_;
    ServerSettings settings_;
};

// SSH_MSG_USERAUTH_REQUEST (RFC 4252).
struct LoginRequest {
    enum class Method { none, public_key, password };
    std::string user{};        // as the client says; at most kMaxUser octets, printable ASCII, else refused before anybody sees it
    Method method{};
    SshPublicKey key{};        // public_key only: also a type that check_strong() refuses, or a certificate
    bool proven = false;       // public_key only: signed with it. Not proven is the question whether it would do: accept() says yes
                               // and the client signs and asks again
    Secret password{};
};
inline constexpr std::size_t kMaxUser = 256;

// Which methods the client may go on with.
struct LoginMethods {
    bool public_key = true;
    bool password = false;
};

// tcpip-forward and cancel-tcpip-forward (RFC 4254 7.1).
struct ForwardRequest {
    std::string address{};   // to bind: "", "localhost", "127.0.0.1", a name; as the client says
    std::uint16_t port = 0;  // 0: any (not for cancelling)
};

class ServerConnection final : public Connection {
public:
    class Owner {
    public:
        // One at a time: answer with accept_login() or reject_login(), now or later.
        virtual void on_login_request(const LoginRequest& request) = 0;
        virtual void on_authenticated() = 0;
        // One at a time, in order: answer with accept_forward() or refuse_forward(), now or later.
        virtual void on_forward_request(const ForwardRequest& request) = 0;
        virtual void on_forward_cancelled(const ForwardRequest& request) = 0;
        // session or direct_tcpip.
        virtual void on_channel_requested(std::unique_ptr<IncomingChannel> channel) = 0;
        virtual void on_connection_closed(const Error& reason) = 0;  // the last call

    protected:
        ~Owner() = default;
    };

    // Over an accepted connection. Errors: no_space, internal.
    static Result<std::unique_ptr<ServerConnection>> make(Loop& loop, const ServerHost& host, Descriptor accepted, Owner& owner);
    ~ServerConnection() override;

    void accept_login();
    void reject_login(LoginMethods methods);
    // SSH_MSG_USERAUTH_BANNER: lines end with \n. Only before the login is accepted.
    void send_banner(std::string_view text);

    // `port` is what was allocated; it is sent only where the client asked for 0.
    void accept_forward(std::uint16_t port);
    void refuse_forward();
    std::size_t forwards_waiting() const { return forwards_.size() - (forward_asked_ ? 1 : 0); }  // requests behind the one that was asked

    // A connection came in at a forward: address and port octet for octet as the client asked for them (but port 0: the allocated one),
    // else OpenSSH refuses it. Errors: no_space (channels), reset (closed).
    Result<ChannelPtr> open_forwarded(Channel::Owner& owner, const ForwardRequest& at, const std::string& origin_ip,
                                      std::uint16_t origin_port);
    // To the client's agent; only after a session of its had a request of Kind::agent.
    Result<ChannelPtr> open_agent(Channel::Owner& owner);

    // Gives the connection to another loop (after authentication, before any channel): park() within on_authenticated() or outside
    // any call, then it is silent and may be posted to the other loop's thread, then unpark() there. What the client sent meanwhile comes after it.
    void park();
    void unpark(Loop& loop, Owner& owner);

private:
    ServerConnection(Loop& loop, Descriptor accepted, const ServerSettings& settings, Owner& owner);
    Handshake shake_hands() override;
    void take_message(Message message) override;
    void after_events() override;
    void tell_closed(const Error& reason) override;
    void on_swallowed() override;
    void take_login(Message message);
    void take_open(Message message);
    void take_global(Message message);
    void ask_login();
    void ask_forward();

    Owner* owner_;
    const unsigned most_attempts_;
    unsigned attempts_ = 0;
    std::vector<Message> logins_;    // the first is the owner's to answer if login_asked_
    std::vector<Message> forwards_;  // the same
    Message answered_login_;         // to answer once more with, see on_swallowed()
    bool login_asked_ = false;
    bool forward_asked_ = false;
    bool tell_authenticated_ = false;
};

}  // namespace sallyport::ssh
