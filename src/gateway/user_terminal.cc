#include "gateway/user_terminal.h"

#include <algorithm>
#include <utility>

namespace sallyport::gateway {
namespace {

constexpr std::uint32_t kFailed = 255;
constexpr int kSilentIntervals = 2;  // keepalives without an answer: the client seems to be gone

}  // namespace

void UserTerminal::take_over(UserChannels& connection, ChannelBridge::Taken taken, TerminalWish wish) {
    auto made = std::make_unique<UserTerminal>(connection, std::move(taken), std::move(wish));
    UserTerminal& terminal = *made;
    connection.add(std::move(made));
    terminal.begin();
}

UserTerminal::UserTerminal(UserChannels& connection, ChannelBridge::Taken taken, TerminalWish wish)
    : connection_(connection),
      loop_(connection.parts().loop),
      channel_(std::move(taken.channel)),
      wish_(std::move(wish)),
      finish_(loop_, [this] { finish(); }) {
    keys_.put(as_octets(taken.octets));
    channel_->set_owner(*this);
}

UserTerminal::~UserTerminal() {
    if (session_) {
        session_->detach(*this);
        connection_.parts().terminals.left(wish_.holder);
    }
    loop_.dispose(std::move(opening_));
}

void UserTerminal::begin() {
    Parts& parts = connection_.parts();
    // With command= each login runs its own.
    if (wish_.command.empty()) offered_ = parts.terminals.waiting(wish_.holder);
    if (offered_.empty()) return start_fresh();
    if (parts.config.resume == ResumeUse::automatic) return attach(*offered_.front());
    ask();
}

void UserTerminal::ask() {
    std::vector<ResumeDialogue::Waiting> waiting;
    for (const TerminalSession* const session : offered_)
        waiting.push_back({.title = session->title(), .detached_for = session->detached_for().value_or(Duration::zero()), .age = session->age()});
    dialogue_.emplace(std::move(waiting));
    say(dialogue_->take_text());
    feed();
}

void UserTerminal::take_answer(const ResumeDialogue::Answer& answer) {
    dialogue_.reset();
    switch (answer.kind) {
        case ResumeDialogue::Answer::Kind::leave: return leave(ssh::ExitStatus{.code = 0}, "");
        case ResumeDialogue::Answer::Kind::fresh: return start_fresh();
        case ResumeDialogue::Answer::Kind::resume: {
            TerminalSession* const chosen = offered_[std::min(answer.index, offered_.size() - 1)];
            if (connection_.parts().terminals.still_waiting(chosen, wish_.holder)) return attach(*chosen);
            say("that session has ended meanwhile\r\n");
            return start_fresh();
        }
    }
}

void UserTerminal::start_fresh() {
    Parts& parts = connection_.parts();
    const RemoteLinkPtr link = connection_.link();
    if (!parts.terminals.has_room(wish_.holder)) return leave(ssh::ExitStatus{.code = kFailed}, "too many sessions");
    if (!link || !link->ready()) return leave(ssh::ExitStatus{.code = kFailed}, "the connection to the remote host was lost");
    TerminalWish wish = wish_;
    opening_ = parts.terminals.open(link, std::move(wish), [this](TerminalSession& session) {
        loop_.dispose(std::move(opening_));
        attach(session);
    });
}

void UserTerminal::attach(TerminalSession& session) {
    const Login& login = connection_.login();
    connection_.parts().log.info("gateway.attached", {{"user", login.user}, {"from", login.ip}, {"key", login.key}, {"kind", session.traits().name},
                                                      {"age_s", std::chrono::duration_cast<std::chrono::seconds>(session.age()).count()}});
    session_ = &session;
    session.attach(*this, wish_.size);
    feed();
    wake();
}

void UserTerminal::feed() {
    while (!keys_.empty() && !leaving_) {
        std::string keys(keys_.size(), '\0');
        keys_.take(std::as_writable_bytes(std::span(keys)));
        std::size_t taken = 0;
        std::optional<ResumeDialogue::Answer> answer;
        if (session_) {
            taken = session_->input(as_octets(keys));
        } else if (dialogue_) {
            answer = dialogue_->keys(as_octets(keys));
            taken = answer ? answer->octets : keys.size();
            say(dialogue_->take_text());
        }
        if (channel_ && taken > 0) channel_->consumed(taken);
        keys_.put(as_octets(std::string_view(keys).substr(taken)));
        if (answer) take_answer(*answer);
        else if (taken == 0 || !dialogue_) return;
    }
}

void UserTerminal::say(std::string_view text) {
    text_.put(as_octets(text));
    wake();
}

void UserTerminal::wake() {
    if (channel_ && channel_->open()) channel_->wake();
}

void UserTerminal::leave(std::optional<ssh::ExitStatus> exit, std::string_view message) {
    leaving_ = true;
    exit_ = std::move(exit);
    if (!message.empty()) message_.put(as_octets("sallyport: " + std::string(message) + "\r\n"));
    wake();
    finish_.ask();
}

void UserTerminal::finish() {
    if (!channel_) return connection_.over(*this);
    if (!message_.empty() || !text_.empty()) return wake();
    if (!leaving_) return;
    if (exit_) channel_->send_exit(*std::exchange(exit_, std::nullopt));
    channel_.reset();
    connection_.over(*this);
}

void UserTerminal::on_channel_octets(Octets octets) {
    connection_.touch();
    if (leaving_) return channel_->consumed(octets.size());
    keys_.put(octets);
    feed();
}

void UserTerminal::on_channel_closed(const Error&) {
    channel_.reset();
    if (TerminalSession* const session = std::exchange(session_, nullptr)) {
        const Login& login = connection_.login();
        connection_.parts().log.info("gateway.detached", {{"user", login.user}, {"from", login.ip}, {"key", login.key}});
        session->detach(*this);
        connection_.parts().terminals.left(wish_.holder);
    }
    finish_.ask();
}

ssh::Channel::Pulled UserTerminal::on_channel_pull(MutableOctets room) {
    std::size_t count = text_.take(room);
    if (session_ && count < room.size()) count += session_->pull(room.subspan(count));
    if (count > 0) connection_.touch();
    if (count == 0) finish_.ask();
    return {count, false};
}

ssh::Channel::Pulled UserTerminal::on_channel_pull_error(MutableOctets room) { return {message_.take(room), false}; }

ssh::Channel::Answer UserTerminal::on_channel_request(const ssh::ChannelRequest& request) {
    connection_.touch();
    if (request.kind != ssh::ChannelRequest::Kind::window_change) return ssh::Channel::Answer::refuse;
    wish_.size = clamp_terminal_size(request.size.columns, request.size.rows);
    if (session_) session_->resize(wish_.size);
    return ssh::Channel::Answer::accept;
}

void UserTerminal::on_session_left(const Leave& left) {
    session_ = nullptr;
    std::optional<ssh::ExitStatus> exit;
    if (left.why != Leave::Why::ended) exit = ssh::ExitStatus{.code = 0};
    else if (!left.exit_signal.empty()) exit = ssh::ExitStatus{.signal = left.exit_signal};
    else exit = ssh::ExitStatus{.code = left.exit_status ? static_cast<std::uint32_t>(*left.exit_status) : kFailed};
    leave(std::move(exit), left.message);
}

bool UserTerminal::seems_gone() const {
    const auto silent = loop_.now() - const_cast<UserChannels&>(connection_).front().heard_at();
    return silent > kSilentIntervals * const_cast<UserChannels&>(connection_).parts().config.keepalive_interval;
}

}  // namespace sallyport::gateway
