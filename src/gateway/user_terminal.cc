#include "gateway/user_terminal.h"

#include <algorithm>
#include <utility>

namespace sallyport::gateway {
namespace {

constexpr std::uint32_t kFailed = 255;
constexpr int kSilentIntervals = 2;  // keepalives without an answer: the client seems to be gone
constexpr int kAnswerShare = 5;      // of a keepalive's time: how long a client that is asked has to answer; 3 s by default
constexpr std::chrono::milliseconds kLookEvery{20};

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
      look_(loop_, [this] { look_for_the_gone(); }),
      finish_(loop_, [this] { finish(); }) {
    connection.parts().terminals.add_client(wish_.holder, *this);
    keys_.put(as_octets(taken.octets));
    channel_->set_owner(*this);
}

UserTerminal::~UserTerminal() {
    connection_.forget(*this);
    connection_.parts().terminals.remove_client(*this);
    if (session_) {
        session_->detach(*this);
        connection_.parts().terminals.left(wish_.holder);
    }
    loop_.dispose(std::move(opening_));
}

// With command= each login runs its own. Else those who look at sessions of this holder are asked whether they are still there: one whose
// network is gone won't be missed by the kernel for minutes.
void UserTerminal::begin() {
    Parts& parts = connection_.parts();
    if (!wish_.command.empty() || parts.config.resume == ResumeUse::off) return start_fresh();
    bool asked = false;
    parts.terminals.each_client(wish_.holder, [&](SessionClient& client) {
        auto& other = static_cast<UserTerminal&>(client);
        if (&other == this || !other.session_) return;
        other.pinged_at_ = loop_.now();
        other.connection_.front().ping();
        asked = true;
    });
    if (!asked) return offer();
    gone_by_ = loop_.now() + parts.config.keepalive_interval / kAnswerShare;
    look_.start(kLookEvery);
}

void UserTerminal::look_for_the_gone() {
    bool unknown = false;
    connection_.parts().terminals.each_client(wish_.holder, [&](SessionClient& client) {
        const auto& other = static_cast<UserTerminal&>(client);
        if (&other != this && other.session_ && other.pinged_at_ && other.connection_.front().heard_at() < *other.pinged_at_) unknown = true;
    });
    if (unknown && loop_.now() < gone_by_) look_.start(kLookEvery);
    else offer();
}

void UserTerminal::offer() {
    if (leaving_) return;
    offered_ = connection_.parts().terminals.waiting(wish_.holder);
    if (offered_.empty()) return start_fresh();
    if (connection_.parts().config.resume == ResumeUse::automatic) return attach(*offered_.front());
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
    if (!connection_.parts().terminals.has_room(wish_.holder)) return leave(ssh::ExitStatus{.code = kFailed}, "too many sessions");
    connection_.need_link(*this, wish_.agent ? UserChannels::Agent::forwarded : UserChannels::Agent::none);
}

void UserTerminal::on_link(RemoteLink&) {
    opening_ = connection_.parts().terminals.open(connection_.link(), wish_, [this](TerminalSession& session) {
        loop_.dispose(std::move(opening_));
        attach(session);
    });
}

void UserTerminal::on_no_link(const RemoteFailure& why) { leave(ssh::ExitStatus{.code = kFailed}, why.for_user()); }

void UserTerminal::attach(TerminalSession& session) {
    const Login& login = connection_.login();
    connection_.parts().log.info("gateway.attached", {{"user", login.user}, {"from", login.ip}, {"key", login.key}, {"kind", session.traits().name},
                                                      {"age_s", std::chrono::duration_cast<std::chrono::seconds>(session.age()).count()}});
    // Programs in the session find the agent of whoever looks at it now.
    if (wish_.agent)
        if (RemoteLinkPtr link = connection_.parts().terminals.link_of(session)) connection_.receive_from(std::move(link));
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
    const TimePoint heard_at = connection_.front().heard_at();
    if (pinged_at_ && heard_at < *pinged_at_ && loop_.now() - *pinged_at_ >= connection_.parts().config.keepalive_interval / kAnswerShare) return true;
    return loop_.now() - heard_at > kSilentIntervals * connection_.parts().config.keepalive_interval;
}

}  // namespace sallyport::gateway
