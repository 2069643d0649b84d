#include "gateway/channel_bridge.h"

#include <algorithm>
#include <utility>

namespace sallyport::gateway {

using ssh::Channel;

namespace {

constexpr std::chrono::seconds kPatience{30};

}  // namespace

ChannelBridge::ChannelBridge(Loop& loop) : loop_(loop), near_(*this, far_), far_(*this, near_), patience_(loop, [this] {
          patience_over_ = true;
          finish();
      }), finish_(loop, [this] { finish(); }) {}

void ChannelBridge::set_near(ssh::ChannelPtr channel) {
    near_.channel = std::move(channel);
    near_.wake();
}

void ChannelBridge::set_far(ssh::ChannelPtr channel) {
    far_.channel = std::move(channel);
    far_.wake();
}

void ChannelBridge::tell_user(std::string_view text) {
    if (near_.closed || over_) return;
    near_.error.put(as_octets(text));
    told_ += text.size();
    near_.wake();
}

void ChannelBridge::close_near(std::optional<ssh::ExitStatus> exit) {
    if (exit && !exit_) exit_ = std::move(exit);
    closing_near_ = true;
    finish_.ask();
}

void ChannelBridge::close_now() {
    over_ = true;
    near_.channel.reset();
    far_.channel.reset();
}

ChannelBridge::Taken ChannelBridge::take_near() {
    Taken taken{.channel = std::move(near_.channel), .octets = std::string(far_.out.size(), '\0'), .eof = near_.eof};
    far_.out.take(std::as_writable_bytes(std::span(taken.octets)));
    over_ = true;
    return taken;
}

// What has to wait until nothing is left to be sent before it.
void ChannelBridge::finish() {
    if (over_) return;
    if (near_.channel && near_.drained()) {
        if (exit_) {
            told_exit_ = std::exchange(exit_, std::nullopt);
            near_.channel->send_exit(*told_exit_);
        }
        if (closing_near_ || far_.closed) {
            near_.channel.reset();
            near_.closed = true;
            return end();
        }
        if (far_.eof) near_.wake();
    }
    if (near_.channel && !near_.error.empty()) near_.wake();  // a pull of nothing on the one stream ends the pulls of both
    if (!near_.closed) return;
    // What he sent before his EOF still goes out; but nothing waits for ever for a remote that doesn't take it.
    if (near_.eof && far_.channel && !far_.drained() && !patience_over_) {
        if (!patience_.running()) patience_.start(kPatience);
        return;
    }
    end();
}

void ChannelBridge::end() {
    if (std::exchange(over_, true)) return;
    near_.channel.reset();
    far_.channel.reset();
    on_bridge_over();
}

void ChannelBridge::note_closed(End& ended, const Error& reason) {
    ended.closed = true;
    ended.channel.reset();
    if (over_) return;
    if (&ended == &far_ && !near_.closed) on_far_closed(reason);
    finish_.ask();
}

void ChannelBridge::End::wake() {
    if (channel && channel->open()) channel->wake();
}

void ChannelBridge::End::on_channel_open() {
    if (this == &bridge_.far_) bridge_.on_far_open();
    else bridge_.on_near_open();
    wake();
}

void ChannelBridge::End::on_channel_refused(const Error& reason) {
    closed = true;
    channel.reset();
    if (bridge_.over_) return;
    if (this == &bridge_.far_) bridge_.on_far_refused(reason);
    else bridge_.on_near_refused(reason);
    bridge_.finish_.ask();
}

void ChannelBridge::End::on_channel_octets(Octets octets) {
    if (other_.closed) return channel->consumed(octets.size());
    (this == &bridge_.near_ ? bridge_.octets_in_ : bridge_.octets_out_) += octets.size();
    other_.out.put(octets);
    other_.wake();
}

// A client has no stderr of its own to send on; what one sends all the same is dropped (RFC 4254 5.2 names no meaning for it).
void ChannelBridge::End::on_channel_error_octets(Octets octets) {
    if (this == &bridge_.near_ || other_.closed) return channel->consumed(octets.size());
    bridge_.octets_out_ += octets.size();
    other_.error.put(octets);
    other_.wake();
}

void ChannelBridge::End::on_channel_eof() {
    eof = true;
    bridge_.finish_.ask();
    other_.wake();
}

void ChannelBridge::End::on_channel_closed(const Error& reason) { bridge_.note_closed(*this, reason); }

void ChannelBridge::End::credit(std::size_t octets) {
    if (other_.channel && octets > 0) other_.channel->consumed(octets);
}

Channel::Pulled ChannelBridge::End::on_channel_pull(MutableOctets room) {
    const std::size_t count = out.take(room);
    credit(count);
    if (count == 0 && !error.empty()) bridge_.finish_.ask();
    const bool last = drained() && (other_.eof || other_.closed);
    if (last && (this == &bridge_.near_ && (bridge_.exit_ || bridge_.closing_near_ || bridge_.far_.closed))) {
        bridge_.finish_.ask();  // how it ended goes before the EOF
        return {count, false};
    }
    if (drained() && (bridge_.closing_near_ || other_.closed)) bridge_.finish_.ask();
    return {count, last};
}

Channel::Pulled ChannelBridge::End::on_channel_pull_error(MutableOctets room) {
    const std::size_t count = error.take(room);
    const std::size_t of_us = std::min(count, bridge_.told_);
    bridge_.told_ -= of_us;
    credit(count - of_us);
    if (drained()) bridge_.finish_.ask();
    return {count, false};
}

Channel::Answer ChannelBridge::End::on_channel_request(const ssh::ChannelRequest& request) {
    return this == &bridge_.near_ && !bridge_.over_ ? bridge_.on_near_request(request) : Channel::Answer::refuse;
}

void ChannelBridge::End::on_channel_exit(const ssh::ExitStatus& status) {
    if (this != &bridge_.far_) return;
    bridge_.exit_ = status;
    bridge_.finish_.ask();
}

}  // namespace sallyport::gateway
