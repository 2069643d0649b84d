#include "ssh/client_connection.h"

#include <fcntl.h>

#include "ssh/agent_login.h"
#include "ssh/algorithms.h"

namespace sallyport::ssh {
namespace {

constexpr std::size_t kMaxBanner = 4096;

}  // namespace

Result<std::unique_ptr<ClientConnection>> ClientConnection::make(Loop& loop, Descriptor connected, const ClientSettings& settings,
                                                                 Owner& owner) {
    std::unique_ptr<ClientConnection> connection(new ClientConnection(loop, std::move(connected), settings, owner));
    Session session(ssh_new());
    if (!session) return fail(Errc::internal, "cannot make an SSH session");
    ssh_session s = session.get();
    const Algorithms& algorithms = client_algorithms();
    const bool no_config = false;
    const int off = 0;
    const int on = 1;
    if (settings.user.empty() || settings.user.size() > 256 || ssh_options_set(s, SSH_OPTIONS_USER, settings.user.c_str()) != SSH_OK)
        return fail(Errc::invalid_argument, "not a user name that can log in by SSH");
    const Result<int> duplicate = connection->duplicate_descriptor();
    if (!duplicate) return std::unexpected(duplicate.error());
    Descriptor socket(*duplicate);
    const int descriptor = socket.get();
    int failed = 0;
    failed |= ssh_options_set(s, SSH_OPTIONS_PROCESS_CONFIG, &no_config);
    failed |= ssh_options_set(s, SSH_OPTIONS_HOST, "peer");  // nobody is looked up: the socket is connected
    failed |= ssh_options_set(s, SSH_OPTIONS_SSH_DIR, "/nonexistent");
    failed |= ssh_options_set(s, SSH_OPTIONS_KNOWNHOSTS, "/dev/null");
    failed |= ssh_options_set(s, SSH_OPTIONS_GLOBAL_KNOWNHOSTS, "/dev/null");
    failed |= ssh_options_set(s, SSH_OPTIONS_GSSAPI_AUTH, &off);
    failed |= ssh_options_set(s, SSH_OPTIONS_NODELAY, &on);
    failed |= ssh_options_set(s, SSH_OPTIONS_KEY_EXCHANGE, algorithms.key_exchange);
    failed |= ssh_options_set(s, SSH_OPTIONS_HOSTKEYS, host_key_order(settings.known_key_types).c_str());
    failed |= ssh_options_set(s, SSH_OPTIONS_CIPHERS_C_S, algorithms.ciphers);
    failed |= ssh_options_set(s, SSH_OPTIONS_CIPHERS_S_C, algorithms.ciphers);
    failed |= ssh_options_set(s, SSH_OPTIONS_HMAC_C_S, algorithms.macs);
    failed |= ssh_options_set(s, SSH_OPTIONS_HMAC_S_C, algorithms.macs);
    failed |= ssh_options_set(s, SSH_OPTIONS_COMPRESSION, "no");
    failed |= ssh_options_set(s, SSH_OPTIONS_PUBLICKEY_ACCEPTED_TYPES, algorithms.public_keys);
    failed |= ssh_options_set(s, SSH_OPTIONS_FD, &descriptor);
    if (failed != 0) return fail(Errc::internal, std::string("cannot set up an SSH session: ") + ssh_get_error(s));
    [[maybe_unused]] const int owned_by_session = socket.release();
    connection->begin(std::move(session));
    return connection;
}

ClientConnection::ClientConnection(Loop& loop, Descriptor connected, const ClientSettings& settings, Owner& owner)
    : Connection(loop, Side::client, std::move(connected), settings), owner_(&owner), user_(settings.user) {}

ClientConnection::~ClientConnection() { cut_loan(); }

Connection::Handshake ClientConnection::shake_hands() {
    const int rc = ssh_connect(session());
    // libssh makes the socket blocking when it finds it connected.
    const int descriptor = ssh_get_fd(session());
    if (const int flags = descriptor < 0 ? -1 : ::fcntl(descriptor, F_GETFL); flags >= 0 && !(flags & O_NONBLOCK))
        ::fcntl(descriptor, F_SETFL, flags | O_NONBLOCK);
    if (rc == SSH_AGAIN) return Handshake::under_way;
    return rc == SSH_OK ? Handshake::done : Handshake::failed;
}

void ClientConnection::tell_closed(const Error& reason) {
    owner_->on_connection_closed(reason);
}

void ClientConnection::after_events() {
    if (shaken_hands() && !host_key_asked_) {
        host_key_asked_ = true;
        ssh_key key = nullptr;
        if (ssh_get_server_publickey(session(), &key) != SSH_OK) return close({Errc::protocol, "the server has shown no host key"});
        const Key owned(key);
        Result<SshPublicKey> taken = public_key_of(key);
        if (!taken) return close({Errc::protocol, "the server's host key can't be read"});
        host_key_ = *std::move(taken);
        owner_->on_host_key(host_key_);
    }
    look_at_login();
}

// ---- Login

void ClientConnection::trust_host() {
    trusted_ = true;
    settle_soon();
}

void ClientConnection::log_in(std::function<int()> attempt) {
    if (!trusted_ || login_ || agent_login_ || authenticated() || !usable()) return;
    login_ = std::move(attempt);
    settle_soon();
}

void ClientConnection::log_in_with_none() {
    log_in([this] { return ssh_userauth_none(session(), user_.c_str()); });
}

void ClientConnection::log_in_with_key(const PrivateKey& key) {
    log_in([this, key] { return ssh_userauth_publickey(session(), user_.c_str(), key.handle()); });
}

void ClientConnection::log_in_with_password(const Secret& password) {
    log_in([this, text = Secret(std::string(password.reveal()))] {
        return ssh_userauth_password(session(), user_.c_str(), std::string(text.reveal()).c_str());
    });
}

void ClientConnection::look_at_login() {
    if (!login_ || !trusted_) return;
    const int result = login_();
    if (result == SSH_AUTH_AGAIN) return;
    login_ = nullptr;
    login_result(result);
}

void ClientConnection::login_result(int result) {
    if (!usable()) return;
    if (result == SSH_AUTH_SUCCESS) {
        login_done();
        return owner_->on_authenticated();
    }
    if (result == SSH_AUTH_ERROR && !ssh_is_connected(session())) return;  // its end is noticed by itself
    const int methods = ssh_userauth_list(session(), nullptr);
    LoginRefusal refusal{.partial = result == SSH_AUTH_PARTIAL,
                         .public_key = (methods & SSH_AUTH_METHOD_PUBLICKEY) != 0,
                         .password = (methods & SSH_AUTH_METHOD_PASSWORD) != 0,
                         .keyboard_interactive = (methods & SSH_AUTH_METHOD_INTERACTIVE) != 0};
    if (char* const banner = ssh_get_issue_banner(session())) {
        const CString owned(banner);
        refusal.banner = std::string_view(banner).substr(0, kMaxBanner);
    }
    owner_->on_login_refused(refusal);
}

void ClientConnection::log_in_with_agent(Descriptor agent) {
    if (!trusted_ || login_ || agent_login_ || authenticated() || !usable()) return;
    // The thread has the session to itself until it is done: neither the loop nor a timer touches it.
    lend_session();
    agent_login_ = std::make_unique<AgentLogin>(loop(), session(), user_, std::move(agent), [this](int result) {
        loop().dispose(std::exchange(agent_login_, nullptr));
        take_session_back();
        if (usable()) login_result(result);
    });
}

void ClientConnection::cut_loan() {
    if (!agent_login_) return;
    shut_socket();
    agent_login_->cut();
}

// ---- Forwards

void ClientConnection::request_forward(std::string address, std::uint16_t port, ForwardDone done) {
    if (!authenticated() || !usable()) {
        // Not inside the call.
        ask_globally({.attempt = [] { return SSH_ERROR; }, .done = [done = std::move(done)](int) { done(fail(Errc::reset, "not logged in")); }});
        return;
    }
    auto bound = std::make_shared<int>(port);
    ask_globally({.attempt = [this, address = std::move(address), port,
                              bound] { return ssh_channel_listen_forward(session(), address.c_str(), port, bound.get()); },
                  .done =
                      [this, port, bound, done = std::move(done)](int result) {
                          if (!done) return;
                          if (!usable()) return done(fail(Errc::reset, "the connection is closed"));
                          if (result != SSH_OK) return done(fail(Errc::refused, "the server refuses to listen"));
                          if (*bound <= 0 || *bound > 65535) return done(fail(Errc::protocol, "the server told no port"));
                          done(port != 0 ? port : static_cast<std::uint16_t>(*bound));
                      }});
}

void ClientConnection::cancel_forward(std::string address, std::uint16_t port) {
    if (!authenticated() || !usable()) return;
    ask_globally({.attempt = [this, address = std::move(address), port] { return ssh_channel_cancel_forward(session(), address.c_str(), port); },
                  .done = [](int) {}});
}

// ---- Channels

void ClientConnection::take_message(Message message) {
    ssh_message m = message.get();
    const auto text = [](const char* value) { return std::string(value ? value : ""); };
    switch (ssh_message_type(m)) {
        case SSH_REQUEST_CHANNEL: return take_channel_request(std::move(message));
        case SSH_REQUEST_CHANNEL_OPEN: {
            ChannelOpen asked;
            if (ssh_message_subtype(m) == SSH_CHANNEL_FORWARDED_TCPIP) {
                asked = {.kind = ChannelOpen::Kind::forwarded_tcpip,
                         .address = text(ssh_message_channel_request_open_destination(m)),
                         .port = static_cast<std::uint16_t>(ssh_message_channel_request_open_destination_port(m)),
                         .origin_address = text(ssh_message_channel_request_open_originator(m)),
                         .origin_port = static_cast<std::uint16_t>(ssh_message_channel_request_open_originator_port(m))};
            } else if (ssh_message_subtype(m) == SSH_CHANNEL_AUTH_AGENT) {
                asked.kind = ChannelOpen::Kind::agent;
            } else {
                break;
            }
            if (!room_for_channel() || asked.address.size() > 1025 || asked.origin_address.size() > 1025) break;
            return owner_->on_channel_requested(incoming(std::move(message), std::move(asked)));
        }
        default: break;
    }
    ssh_message_reply_default(m);
}

Result<ChannelPtr> ClientConnection::open_session(Channel::Owner& owner) {
    return open_channel(owner, [](ssh_channel channel) { return ssh_channel_open_session(channel); });
}

Result<ChannelPtr> ClientConnection::open_direct(Channel::Owner& owner, const std::string& host, std::uint16_t port,
                                                 const std::string& origin_ip, std::uint16_t origin_port) {
    return open_channel(owner, [&](ssh_channel channel) {
        return ssh_channel_open_forward(channel, host.c_str(), port, origin_ip.c_str(), origin_port);
    });
}

}  // namespace sallyport::ssh
