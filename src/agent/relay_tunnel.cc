#include "agent/relay_tunnel.h"

#include <algorithm>

namespace sallyport {

RelayTunnel::RelayTunnel(Loop& loop, OpenedConnection connection, const TunnelSettings& settings, Owner& owner)
    : loop_(loop),
      owner_(owner),
      can_resume_(settings.resume_window.count() > 0),
      session_(std::move(connection.session.id)),
      began_at_(loop.now()),
      silence_(loop, [this] { look_for_silence(); }),
      deadline_(loop,
                [this] {
                    close({Errc::timeout, retired_ ? "the relay drained for longer than it said"
                                          : ready_ ? "the relay doesn't confirm the tunnel"
                                                   : "no SETTINGS from the relay"});
                }),
      tunnel_(Tunnel::make(loop, TunnelRole::agent, std::move(connection.transport), std::move(connection.received),
                           settings, *this)) {
    deadline_.start(kStepDeadline);
    if (can_resume_) silence_.start(kSilence);
}

Result<> RelayTunnel::resume(OpenedConnection connection) {
    Result<> resumed = tunnel_->resume(std::move(connection.transport), std::move(connection.received),
                                       connection.session.received);
    if (resumed) silence_.start(kSilence);
    return resumed;
}

// From here on the old connection, silent as it is, is given up: what it might still bring would not be counted.
Result<SessionState> RelayTunnel::give_up_connection() {
    const bool was_connected = connected();
    if (was_connected && !is_silent()) return fail(Errc::conflict, "the old connection is alive again");
    const ByteCount received = tunnel_->freeze();
    if (was_connected) lose({Errc::timeout, "silent, and a new connection works"});
    return SessionState{session_, received};
}

void RelayTunnel::retire(std::chrono::milliseconds deadline) {
    retired_ = true;
    silence_.cancel();
    deadline_.start(std::clamp<std::chrono::milliseconds>(deadline, {}, kLongestDrain) + kDrainMargin);
}

void RelayTunnel::send(const ControlMessage& message) {
    std::string line = format_control_message(message);
    line.pop_back();
    tunnel_->send_control(line);
}

// ---- silence

bool RelayTunnel::is_silent() const {
    const auto since = tunnel_->waiting_since();
    return since && loop_.exact_now() - *since >= patience();
}

// Looks when the patience with what is unanswered ends; with nothing unanswered often enough not to be late for what comes
// next.
void RelayTunnel::look_for_silence() {
    if (!connected() || retired_) return;
    silence_.start(kSilence);
    if (is_silent()) return owner_.on_relay_silent(*this);
    if (const auto since = tunnel_->waiting_since())
        silence_.start(std::max<Duration>(*since + patience() - loop_.exact_now(), std::chrono::milliseconds(1)));
}

void RelayTunnel::check() {
    tunnel_->ping();
    if (can_resume_) look_for_silence();
}

void RelayTunnel::lose(const Error& reason) {
    lost_at_ = loop_.now();
    silence_.cancel();
    if (retired_) return close(reason);
    owner_.on_relay_lost(*this, reason);
}

// ---- what the tunnel tells

void RelayTunnel::on_tunnel_ready() {
    ready_ = true;
    if (!retired_) deadline_.start(kStepDeadline);
    send(owner_.make_hello());
}

void RelayTunnel::on_tunnel_control(std::string_view line) {
    auto message = parse_control_message(line);
    if (!message) return owner_.on_relay_message_malformed(message.error());
    if (!confirmed_ && std::holds_alternative<RoutesMessage>(*message)) {
        confirmed_ = true;
        if (!retired_) deadline_.cancel();
        owner_.on_relay_confirmed(*this);
    }
    owner_.on_relay_message(*this, std::move(*message));
}

void RelayTunnel::on_tunnel_closed(const Error& reason) {
    silence_.cancel();
    deadline_.cancel();
    owner_.on_relay_closed(*this, reason);
}

}  // namespace sallyport
