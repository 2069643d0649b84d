#include "gateway/user_session.h"

#include <algorithm>

#include "gateway/user_terminal.h"

namespace sallyport::gateway {
namespace {

using ssh::Channel;
using ssh::ChannelRequest;
using Kind = ChannelRequest::Kind;

constexpr std::uint32_t kFailed = 255;  // what ssh itself exits with when a connection fails

// For a POSIX shell.
std::string quoted(std::string_view text) {
    std::string out = "'";
    for (const char c : text) out += c == '\'' ? std::string_view("'\\''") : std::string_view(&c, 1);
    return out + "'";
}

std::string describe(const ssh::ExitStatus& status) { return status.signal.empty() ? std::to_string(status.code) : "SIG" + status.signal; }

}  // namespace

std::string forced_command(std::string_view command, std::string_view original) {
    if (original.empty()) return std::string(command);
    return "SSH_ORIGINAL_COMMAND=" + quoted(original) + "; export SSH_ORIGINAL_COMMAND; " + std::string(command);
}

UserSession::UserSession(UserChannels& connection)
    : ChannelBridge(connection.parts().loop), connection_(connection), began_at_(connection.parts().loop.now()) {}

UserSession::~UserSession() {
    connection_.forget(*this);
    if (!counted_) return;
    Parts& parts = connection_.parts();
    --parts.counters.open[kind()];
    const Login& login = connection_.login();
    parts.log.info("gateway.session", {{"user", login.user},
                                       {"from", login.ip},
                                       {"key", login.key},
                                       {"kind", name_of(kind())},
                                       {"seconds", std::chrono::duration_cast<std::chrono::seconds>(parts.loop.now() - began_at_).count()},
                                       {"octets_in", octets_in()},
                                       {"octets_out", octets_out()},
                                       {"exit", exit_}});
}

SessionKind UserSession::kind() const {
    if (!request_ || request_->kind == Kind::shell) return SessionKind::shell;
    return request_->kind == Kind::subsystem ? SessionKind::subsystem : SessionKind::exec;
}

Channel::Answer UserSession::on_near_request(const ChannelRequest& request) {
    const AuthorizedKeyOptions& options = connection_.login().options;
    connection_.touch();
    switch (request.kind) {
        case Kind::env: return take_variable(request) ? Channel::Answer::accept : Channel::Answer::refuse;
        case Kind::agent: agent_ = options.agent_forwarding; return Channel::Answer::accept;
        case Kind::pty:
            if (!options.pty || request_ || pty_) return Channel::Answer::refuse;
            pty_ = true;
            term_ = request.text;
            size_ = request.size;
            return Channel::Answer::accept;
        case Kind::window_change:
            size_ = request.size;
            if (far_channel() && pty_) far_channel()->send_window_change(size_);
            return Channel::Answer::accept;
        case Kind::signal:
            if (far_channel()) far_channel()->send_signal(request.text);
            return Channel::Answer::accept;
        case Kind::shell:
        case Kind::exec:
        case Kind::subsystem: return begin(request);
    }
    return Channel::Answer::refuse;
}

bool UserSession::take_variable(const ChannelRequest& request) {
    variable_octets_ += request.text.size() + request.value.size();
    if (request_ || variables_.size() == kMostVariables || variable_octets_ > kMostVariableOctets) return false;
    variables_.emplace_back(request.text, request.value);
    return true;
}

Channel::Answer UserSession::begin(const ChannelRequest& request) {
    if (request_) return Channel::Answer::refuse;
    request_ = request;
    Parts& parts = connection_.parts();
    counted_ = true;
    ++parts.counters.open[kind()];
    ++parts.counters.sessions[kind()];
    // A session that waits needs no connection to the remote; but who is let in by the remote has to have been.
    if (is_terminal() && !connection_.let_in_by_remote()) go_on_as_terminal();
    else connection_.need_link(*this, agent_ ? UserChannels::Agent::forwarded : UserChannels::Agent::none);
    if (answered_) return Channel::Answer::accept;  // there is none, and the user is being told
    answered_ = true;
    return Channel::Answer::later;
}

// A shell in a terminal; with command= too.
bool UserSession::is_terminal() const { return pty_ && request_->kind == Kind::shell; }

void UserSession::go_on_as_terminal() {
    Parts& parts = connection_.parts();
    --parts.counters.open[kind()];
    --parts.counters.sessions[kind()];
    counted_ = false;
    if (near_channel() && answered_) near_channel()->answer(Channel::Answer::accept);
    answered_ = true;
    const Login& login = connection_.login();
    TerminalWish wish{.holder = login.holder(),
                      .ip = login.ip,
                      .term = term_,
                      .size = clamp_terminal_size(size_.columns, size_.rows),
                      .variables = std::move(variables_),
                      .command = login.options.command.value_or(""),
                      .agent = agent_};
    UserTerminal::take_over(connection_, take_near(), std::move(wish));
    connection_.over(*this);
}

void UserSession::on_link(RemoteLink& link) {
    if (is_terminal()) return go_on_as_terminal();
    auto channel = link.connection().open_session(far());
    if (!channel) return give_up("the remote host takes no more sessions on this connection");
    set_far(std::move(*channel));
}

void UserSession::on_no_link(const RemoteFailure& why) { give_up(why.for_user()); }

void UserSession::give_up(std::string_view why) {
    if (near_channel() && answered_) near_channel()->answer(Channel::Answer::accept);
    answered_ = true;
    exit_ = std::to_string(kFailed);
    tell_user("sallyport: " + std::string(why) + "\r\n");
    close_near(ssh::ExitStatus{.code = kFailed});
}

void UserSession::on_far_open() {
    Channel& far = *far_channel();
    if (agent_) far.request_agent();
    for (auto& [name, value] : variables_) far.request_env(name, value, {});
    if (pty_) far.request_pty(term_, size_, {});
    start_at_remote();
}

void UserSession::start_at_remote() {
    const auto done = [this](bool accepted) {
        if (near_channel()) near_channel()->answer(accepted ? Channel::Answer::accept : Channel::Answer::refuse);
        if (!accepted && request_->kind != Kind::subsystem) close_near(ssh::ExitStatus{.code = kFailed});
    };
    Channel& far = *far_channel();
    if (const auto& forced = connection_.login().options.command)
        return far.request_exec(forced_command(*forced, request_->text), done);
    switch (request_->kind) {
        case Kind::exec: return far.request_exec(request_->text, done);
        case Kind::subsystem: return far.request_subsystem(request_->text, done);
        default: return far.request_shell(done);
    }
}

void UserSession::on_far_refused(const Error&) { give_up("the remote host opens no session"); }

void UserSession::on_far_closed(const Error& reason) {
    if (reason.code != Errc::unreachable) return;
    exit_ = "lost";
    tell_user("sallyport: the connection to the remote host was lost\r\n");
}

void UserSession::on_bridge_over() {
    if (const auto& status = exit_status()) exit_ = describe(*status);
    connection_.over(*this);
}

}  // namespace sallyport::gateway
