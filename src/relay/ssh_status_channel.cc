#include "relay/ssh_status_channel.h"

namespace sallyport::relay {
namespace {

constexpr std::size_t kMostError = 16 * 1024;
constexpr unsigned kNoCommand = 126;

std::size_t take(std::string& from, MutableOctets room) {
    const std::size_t count = from.copy(reinterpret_cast<char*>(room.data()), room.size());
    from.erase(0, count);
    return count;
}

}  // namespace

SshStatusChannel::SshStatusChannel(Loop& loop, Host& host) : host_(host), over_(loop, [this] { host_.on_status_channel_over(*this); }) {}

Result<> SshStatusChannel::begin(std::unique_ptr<ssh::IncomingChannel> incoming) {
    auto channel = incoming->accept(*this);
    if (!channel) return std::unexpected(channel.error());
    channel_ = std::move(*channel);
    return {};
}

void SshStatusChannel::on_settled() {
    if (started_) show();
}

void SshStatusChannel::tell_error(std::string_view line) {
    if (!channel_ || ended_ || err_.size() > kMostError) return;
    err_ += as_shown(std::string(line) + "\n");
    channel_->wake();
}

SshStatusChannel::Answer SshStatusChannel::on_channel_request(const ssh::ChannelRequest& request) {
    using Kind = ssh::ChannelRequest::Kind;
    switch (request.kind) {
        case Kind::pty: terminal_ = true; return Answer::accept;
        case Kind::env:
        case Kind::window_change:
        case Kind::signal: return Answer::accept;
        case Kind::shell:
            if (started_) return Answer::refuse;
            started_ = true;
            show();
            return Answer::accept;
        case Kind::exec:
        case Kind::subsystem:
            if (started_) return Answer::refuse;
            started_ = shown_ = true;
            tell_error("This relay runs no commands and has no files: it takes ssh -R, and shows its state to ssh without a command.");
            end(kNoCommand);
            return Answer::accept;
        case Kind::agent: break;
    }
    return Answer::refuse;
}

void SshStatusChannel::show() {
    if (!host_.forwards_settled()) return;
    if (!shown_) {
        shown_ = true;
        out_ += as_shown(host_.status_text());
        if (host_.serves()) out_ += as_shown("Forwarding until Ctrl-C.\n");
    }
    if (!host_.serves()) end(0);
    if (channel_) channel_->wake();
}

void SshStatusChannel::end(unsigned code) {
    if (wants_end_) return;
    wants_end_ = true;
    code_ = code;
    if (channel_) channel_->wake();
}

// In a terminal without a line discipline of ours.
std::string SshStatusChannel::as_shown(std::string_view text) const {
    std::string out;
    for (const char c : text) {
        if (c == '\n' && terminal_) out += '\r';
        out += c;
    }
    return out;
}

void SshStatusChannel::on_channel_octets(Octets octets) {
    if (channel_) channel_->consumed(octets.size());
    if (terminal_ && as_text(octets).find_first_of("\x03\x04") != std::string_view::npos) end(0);
}

void SshStatusChannel::on_channel_eof() { end(0); }

void SshStatusChannel::on_channel_closed(const Error&) {
    ended_ = true;
    over_.ask();
}

ssh::Channel::Pulled SshStatusChannel::on_channel_pull_error(MutableOctets room) { return {take(err_, room), false}; }

ssh::Channel::Pulled SshStatusChannel::on_channel_pull(MutableOctets room) {
    const std::size_t count = take(out_, room);
    if (!out_.empty() || !err_.empty() || !wants_end_ || ended_ || (started_ && !shown_)) return {count, false};
    if (count > 0) return {count, false};  // the status goes behind what was pulled, in the next round
    ended_ = true;
    channel_->send_exit({.code = code_});
    over_.ask();
    return {0, true};
}

}  // namespace sallyport::relay
