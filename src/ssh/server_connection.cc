#include "ssh/server_connection.h"

#include <algorithm>

#include "ssh/algorithms.h"

namespace sallyport::ssh {
namespace {

constexpr std::size_t kMostQueued = 256;  // forward requests that wait; OpenSSH sends all its -R at once
constexpr std::size_t kMaxHostText = 1025;
constexpr std::size_t kMaxPassword = 1024;

std::string text_of(const char* text) { return text ? text : ""; }

bool is_printable(std::string_view text) {
    return std::ranges::all_of(text, [](char c) { return c > 0x20 && c < 0x7f; });
}

}  // namespace

// ---- ServerHost

Result<ServerHost> ServerHost::make(const PrivateKey& host_key, const ServerSettings& settings) {
    ServerHost host;
    host.bind_.reset(ssh_bind_new());
    if (!host.bind_) return fail(Errc::internal, "cannot make an SSH server");
    ssh_bind bind = host.bind_.get();
    const Algorithms& algorithms = server_algorithms();
    const bool no_config = false;
    unsigned rsa_bits = settings.rsa_min_bits;
    // libssh keeps a pointer of its own to the key and frees it.
    Key key(ssh_key_dup(host_key.handle()));
    int failed = 0;
    failed |= ssh_bind_options_set(bind, SSH_BIND_OPTIONS_PROCESS_CONFIG, &no_config);
    failed |= ssh_bind_options_set(bind, SSH_BIND_OPTIONS_KEY_EXCHANGE, algorithms.key_exchange);
    failed |= ssh_bind_options_set(bind, SSH_BIND_OPTIONS_CIPHERS_C_S, algorithms.ciphers);
    failed |= ssh_bind_options_set(bind, SSH_BIND_OPTIONS_CIPHERS_S_C, algorithms.ciphers);
    failed |= ssh_bind_options_set(bind, SSH_BIND_OPTIONS_HMAC_C_S, algorithms.macs);
    failed |= ssh_bind_options_set(bind, SSH_BIND_OPTIONS_HMAC_S_C, algorithms.macs);
    failed |= ssh_bind_options_set(bind, SSH_BIND_OPTIONS_PUBKEY_ACCEPTED_KEY_TYPES, algorithms.public_keys);
    failed |= ssh_bind_options_set(bind, SSH_BIND_OPTIONS_RSA_MIN_SIZE, &rsa_bits);
    failed |= ssh_bind_options_set(bind, SSH_BIND_OPTIONS_BANNER, settings.version.c_str());
    if (failed != 0 || !key || ssh_bind_options_set(bind, SSH_BIND_OPTIONS_IMPORT_KEY, key.get()) != SSH_OK)
        return fail(Errc::internal, std::string("cannot set up an SSH server: ") + ssh_get_error(bind));
    [[maybe_unused]] ssh_key owned_by_bind = key.release();
    host.public_key_ = host_key.public_key();
    host.settings_ = settings;
    return host;
}

// ---- ServerConnection

Result<std::unique_ptr<ServerConnection>> ServerConnection::make(Loop& loop, const ServerHost& host, Descriptor accepted, Owner& owner) {
    std::unique_ptr<ServerConnection> connection(new ServerConnection(loop, std::move(accepted), host.settings_, owner));
    Session session(ssh_new());
    if (!session) return fail(Errc::internal, "cannot make an SSH session");
    const bool no_config = false;
    if (ssh_options_set(session.get(), SSH_OPTIONS_PROCESS_CONFIG, &no_config) != SSH_OK ||
        ssh_options_set(session.get(), SSH_OPTIONS_COMPRESSION, "no") != SSH_OK)
        return fail(Errc::internal, "cannot set up an SSH session");
    const Result<int> duplicate = connection->duplicate_descriptor();
    if (!duplicate) return std::unexpected(duplicate.error());
    Descriptor socket(*duplicate);
    if (ssh_bind_accept_fd(host.bind_.get(), session.get(), socket.get()) != SSH_OK)
        return fail(Errc::internal, std::string("cannot begin an SSH session: ") + ssh_get_error(host.bind_.get()));
    [[maybe_unused]] const int owned_by_session = socket.release();
    ssh_set_auth_methods(session.get(), SSH_AUTH_METHOD_PUBLICKEY);
    connection->begin(std::move(session));
    return connection;
}

ServerConnection::ServerConnection(Loop& loop, Descriptor accepted, const ServerSettings& settings, Owner& owner)
    : Connection(loop, Side::server, std::move(accepted), settings), owner_(&owner), most_attempts_(settings.most_login_attempts) {}

ServerConnection::~ServerConnection() = default;

Connection::Handshake ServerConnection::shake_hands() {
    const int rc = ssh_handle_key_exchange(session());
    if (rc == SSH_AGAIN) return Handshake::under_way;
    return rc == SSH_OK ? Handshake::done : Handshake::failed;
}

void ServerConnection::tell_closed(const Error& reason) { owner_->on_connection_closed(reason); }

void ServerConnection::take_message(Message message) {
    switch (ssh_message_type(message.get())) {
        case SSH_REQUEST_SERVICE: {
            const char* const service = ssh_message_service_service(message.get());
            if (service && std::string_view(service) == "ssh-userauth")
                ssh_message_service_reply_success(message.get());
            else
                close({Errc::protocol, "the client asks for an unknown service"}, "service not available");
            return;
        }
        case SSH_REQUEST_AUTH: return take_login(std::move(message));
        case SSH_REQUEST_CHANNEL_OPEN: return take_open(std::move(message));
        case SSH_REQUEST_CHANNEL: return take_channel_request(std::move(message));
        case SSH_REQUEST_GLOBAL: return take_global(std::move(message));
        default: ssh_message_reply_default(message.get());
    }
}

void ServerConnection::after_events() {
    if (tell_authenticated_) {
        tell_authenticated_ = false;
        owner_->on_authenticated();
    }
}

// ---- Login

void ServerConnection::take_login(Message message) {
    if (authenticated()) return;  // RFC 4252 5.1: silently ignored
    if (++attempts_ > most_attempts_) return close({Errc::unauthorized, "too many login attempts"}, "Too many authentication failures");
    logins_.push_back(std::move(message));  // a client that doesn't wait for answers; bounded by the attempts
    ask_login();
}

// libssh drops a login with a type of key that it doesn't know (ssh-dss) or a signature that it refuses (ssh-rsa by SHA-1) without an answer,
// and the client would wait for one until the grace time is over. A refusal says nothing of what it refuses, so that of an earlier
// request will do; there is one, as clients begin with the method "none".
void ServerConnection::on_swallowed() {
    if (login_asked_ || !logins_.empty()) return;
    if (!answered_login_ || ++attempts_ > most_attempts_)
        return close({Errc::unauthorized, "a login that can't be read"}, "this type of key or signature is not accepted");
    ssh_message_reply_default(answered_login_.get());
    settle_soon();
}

void ServerConnection::ask_login() {
    while (!login_asked_ && !logins_.empty() && usable() && !authenticated()) {
        ssh_message m = logins_.front().get();
        LoginRequest request{.user = text_of(ssh_message_auth_user(m))};
        bool sane = !request.user.empty() && request.user.size() <= kMaxUser && is_printable(request.user);
        switch (ssh_message_subtype(m)) {
            case SSH_AUTH_METHOD_NONE: request.method = LoginRequest::Method::none; break;
            case SSH_AUTH_METHOD_PUBLICKEY: {
                request.method = LoginRequest::Method::public_key;
                const auto state = ssh_message_auth_publickey_state(m);
                request.proven = state == SSH_PUBLICKEY_STATE_VALID;
                sane = sane && (request.proven || state == SSH_PUBLICKEY_STATE_NONE);
                ssh_key key = ssh_message_auth_pubkey(m);
                Result<SshPublicKey> taken = key ? public_key_of(key) : fail(Errc::protocol);
                if (taken)
                    request.key = *std::move(taken);
                else
                    sane = false;
                break;
            }
            case SSH_AUTH_METHOD_PASSWORD: {
                request.method = LoginRequest::Method::password;
                const char* const password = ssh_message_auth_password(m);
                sane = sane && password && std::string_view(password).size() <= kMaxPassword;
                if (sane) request.password = Secret(password);
                break;
            }
            default: sane = false;
        }
        if (!sane) {
            ssh_message_reply_default(m);
            logins_.erase(logins_.begin());
            settle_soon();
            continue;
        }
        login_asked_ = true;
        owner_->on_login_request(request);
    }
}

void ServerConnection::accept_login() {
    if (!login_asked_ || logins_.empty() || !usable()) return;
    login_asked_ = false;
    const Message message = std::move(logins_.front());
    logins_.erase(logins_.begin());
    ssh_message m = message.get();
    settle_soon();
    if (ssh_message_subtype(m) == SSH_AUTH_METHOD_PUBLICKEY && ssh_message_auth_publickey_state(m) != SSH_PUBLICKEY_STATE_VALID) {
        ssh_message_auth_reply_pk_ok_simple(m);
        return ask_login();
    }
    logins_.clear();
    answered_login_.reset();
    ssh_message_auth_reply_success(m, 0);
    login_done();
    tell_authenticated_ = true;
}

void ServerConnection::reject_login(LoginMethods methods) {
    if (!login_asked_ || logins_.empty() || !usable()) return;
    login_asked_ = false;
    Message message = std::move(logins_.front());
    logins_.erase(logins_.begin());
    int bits = 0;
    if (methods.public_key) bits |= SSH_AUTH_METHOD_PUBLICKEY;
    if (methods.password) bits |= SSH_AUTH_METHOD_PASSWORD;
    // libssh has no empty list: with none left the client is sent away.
    if (bits == 0) return close({Errc::unauthorized, "no method of login is left"}, "Permission denied");
    ssh_message_auth_set_methods(message.get(), bits);
    ssh_message_reply_default(message.get());
    if (ssh_message_subtype(message.get()) == SSH_AUTH_METHOD_NONE) answered_login_ = std::move(message);
    settle_soon();
    ask_login();
}

void ServerConnection::send_banner(std::string_view text) {
    if (authenticated() || !usable() || text.empty()) return;
    const std::string banner(text.substr(0, 4096));
    ssh_string wrapped = ssh_string_from_char(banner.c_str());
    if (!wrapped) return;
    ssh_send_issue_banner(session(), wrapped);
    ssh_string_free(wrapped);
    settle_soon();
}

// ---- Forwards

void ServerConnection::take_global(Message message) {
    const char* const address = ssh_message_global_request_address(message.get());
    const int type = ssh_message_subtype(message.get());
    const bool known = type == SSH_GLOBAL_REQUEST_TCPIP_FORWARD || type == SSH_GLOBAL_REQUEST_CANCEL_TCPIP_FORWARD;
    const int port = ssh_message_global_request_port(message.get());
    if (!known || !authenticated() || !address || std::string_view(address).size() > kMaxHostText || port < 0 || port > 65535 ||
        forwards_.size() >= kMostQueued) {
        ssh_message_reply_default(message.get());
        return;
    }
    forwards_.push_back(std::move(message));
    ask_forward();
}

void ServerConnection::ask_forward() {
    while (!forward_asked_ && !forwards_.empty() && usable()) {
        ssh_message m = forwards_.front().get();
        const ForwardRequest request{.address = text_of(ssh_message_global_request_address(m)),
                                     .port = static_cast<std::uint16_t>(ssh_message_global_request_port(m))};
        if (ssh_message_subtype(m) == SSH_GLOBAL_REQUEST_CANCEL_TCPIP_FORWARD) {
            const Message message = std::move(forwards_.front());
            forwards_.erase(forwards_.begin());
            ssh_message_global_request_reply_success(m, 0);
            settle_soon();
            owner_->on_forward_cancelled(request);
            continue;
        }
        forward_asked_ = true;
        owner_->on_forward_request(request);
    }
}

void ServerConnection::accept_forward(std::uint16_t port) {
    if (!forward_asked_ || forwards_.empty() || !usable()) return;
    forward_asked_ = false;
    const Message message = std::move(forwards_.front());
    forwards_.erase(forwards_.begin());
    ssh_message_global_request_reply_success(message.get(), port);
    settle_soon();
    ask_forward();
}

void ServerConnection::refuse_forward() {
    if (!forward_asked_ || forwards_.empty() || !usable()) return;
    forward_asked_ = false;
    const Message message = std::move(forwards_.front());
    forwards_.erase(forwards_.begin());
    ssh_message_reply_default(message.get());
    settle_soon();
    ask_forward();
}

// ---- Channels

void ServerConnection::take_open(Message message) {
    ssh_message m = message.get();
    ChannelOpen asked;
    switch (ssh_message_subtype(m)) {
        case SSH_CHANNEL_SESSION: asked.kind = ChannelOpen::Kind::session; break;
        case SSH_CHANNEL_DIRECT_TCPIP:
            asked = {.kind = ChannelOpen::Kind::direct_tcpip,
                     .address = text_of(ssh_message_channel_request_open_destination(m)),
                     .port = static_cast<std::uint16_t>(ssh_message_channel_request_open_destination_port(m)),
                     .origin_address = text_of(ssh_message_channel_request_open_originator(m)),
                     .origin_port = static_cast<std::uint16_t>(ssh_message_channel_request_open_originator_port(m))};
            break;
        default: ssh_message_reply_default(m); return;
    }
    if (!room_for_channel() || asked.address.size() > kMaxHostText || asked.origin_address.size() > kMaxHostText) {
        ssh_message_reply_default(m);
        return;
    }
    owner_->on_channel_requested(incoming(std::move(message), std::move(asked)));
}

Result<ChannelPtr> ServerConnection::open_forwarded(Channel::Owner& owner, const ForwardRequest& at, const std::string& origin_ip,
                                                    std::uint16_t origin_port) {
    return open_channel(owner, [&](ssh_channel channel) {
        return ssh_channel_open_reverse_forward(channel, at.address.c_str(), at.port, origin_ip.c_str(), origin_port);
    });
}

Result<ChannelPtr> ServerConnection::open_agent(Channel::Owner& owner) {
    return open_channel(owner, [](ssh_channel channel) { return ssh_channel_open_auth_agent(channel); });
}

// ---- From loop to loop

void ServerConnection::park() { leave_loop(); }

void ServerConnection::unpark(Loop& loop, Owner& owner) {
    owner_ = &owner;
    join_loop(loop);
}

}  // namespace sallyport::ssh
