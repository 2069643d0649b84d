#include "relay/agent_link.h"

#include <algorithm>

namespace sallyport::relay {
namespace {

constexpr std::chrono::minutes kProbeEvery{1};

AgentView::ForwardedFor convert(ForwardedForSupport support) {
    switch (support) {
        case ForwardedForSupport::accepted: return AgentView::ForwardedFor::accepted;
        case ForwardedForSupport::refused: return AgentView::ForwardedFor::refused;
        case ForwardedForSupport::unknown: break;
    }
    return AgentView::ForwardedFor::unknown;
}

std::vector<AgentView::Target> convert(const std::vector<TargetReport>& reports) {
    std::vector<AgentView::Target> targets;
    for (const TargetReport& report : reports) {
        AgentView::Target target;
        target.name = report.name;
        target.authority = report.authority.empty() ? report.name : report.authority;
        target.forwarded_for = convert(report.forwarded_for);
        target.trusted_networks = report.trusted_networks;
        target.home_assistant = report.home_assistant;
        target.probed = report.probed;
        target.route = report.route;
        targets.push_back(std::move(target));
    }
    return targets;
}

}  // namespace

AgentLink::AgentLink(Loop& loop, Log& log, ProvenAgent agent, MakeTunnel make_tunnel, Owner& owner)
    : log_(log),
      agent_(std::move(agent)),
      owner_(owner),
      hello_deadline_(loop, [this] { tunnel_->close({Errc::timeout, "the agent said no hello"}); }),
      tunnel_(make_tunnel(*this)) {
    hello_deadline_.start(kHelloDeadline);
}

void AgentLink::resume(std::string credential_id, TransportPtr transport, std::string received, ByteCount peer_received) {
    agent_.credential_id = std::move(credential_id);
    mark_lost(false);
    // A failure ends the session and is reported as its end.
    (void)tunnel_->resume(std::move(transport), std::move(received), peer_received);
}

void AgentLink::tell_routes(const std::vector<RouteNotice>& routes) {
    if (!view_ || (has_told_ && told_ == routes)) return;
    told_ = routes;
    has_told_ = true;
    send(RoutesMessage{routes});
}

void AgentLink::tell_rotated(WallTime until) {
    if (!view_ || told_rotated_ == until) return;
    told_rotated_ = until;
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(until - WallClock::now());
    send(RotatedMessage{"the relay's owner has made a new credential", std::max(left, std::chrono::milliseconds(0))});
}

void AgentLink::tell_drain(std::string reason, std::chrono::milliseconds deadline) {
    send(DrainMessage{std::move(reason), deadline});
}

// A kind without members. However many visitors are answered 400, one line a minute says it.
void AgentLink::ask_for_probe() {
    const TimePoint now = Clock::now();
    if (now - probe_asked_at_ < kProbeEvery) return;
    probe_asked_at_ = now;
    send(UnknownMessage{"probe"});
}

void AgentLink::send(const ControlMessage& message) {
    std::string line = format_control_message(message);
    if (line.ends_with('\n')) line.pop_back();
    tunnel_->send_control(line);
}

void AgentLink::on_tunnel_control(std::string_view line) {
    const auto message = parse_control_message(line);
    if (!message) {
        tunnel_->close(message.error());
        return;
    }
    if (const auto* hello = std::get_if<HelloMessage>(&*message)) take(*hello);
    else if (const auto* targets = std::get_if<TargetsMessage>(&*message)) take(*targets);
    else if (const auto* drain = std::get_if<DrainMessage>(&*message)) take(*drain);
    // What only the relay says, and what a newer agent may say, is passed over.
}

void AgentLink::take(const HelloMessage& hello) {
    hello_deadline_.cancel();
    version_ = hello.version;
    AgentView view;
    view.name = agent_.name;
    view.concurrency_limit = std::max(1u, hello.concurrency_limit);
    view.request_timeout = hello.request_timeout;
    view.targets = convert(hello.targets);
    publish(std::move(view));
}

void AgentLink::take(const TargetsMessage& targets) {
    if (!view_) return;  // hello comes first
    AgentView view = *view_;
    view.targets = convert(targets.targets);
    publish(std::move(view));
}

void AgentLink::take(const DrainMessage& drain) {
    draining_ = true;
    log_.info("tunnel.draining", {{"agent", agent_.name}, {"reason", drain.reason}});
}

void AgentLink::mark_lost(bool lost) {
    if (!view_ || view_->lost == lost) return;
    AgentView view = *view_;
    view.lost = lost;
    view_ = std::make_shared<const AgentView>(std::move(view));
}

void AgentLink::publish(AgentView view) {
    view_ = std::make_shared<const AgentView>(std::move(view));
    owner_.on_link_view(*this);
}

void AgentLink::on_tunnel_stream(OpenRequest, std::unique_ptr<IncomingStream> stream) {
    // Only the relay opens streams, so the HTTP/2 client role makes this impossible; refused all the same.
    stream->refuse({403, "http_request_denied", "agents open no streams"});
}

void AgentLink::on_tunnel_lost(const Error& reason) {
    if (draining_) return tunnel_->close({Errc::end_of_stream, "the agent stopped"});
    mark_lost(true);
    owner_.on_link_lost(*this, reason);
}

void AgentLink::on_tunnel_closed(const Error& reason) { owner_.on_link_closed(*this, reason); }

}  // namespace sallyport::relay
