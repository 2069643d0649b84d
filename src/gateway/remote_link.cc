#include "gateway/remote_link.h"

#include <algorithm>
#include <utility>

namespace sallyport::gateway {

std::string_view RemoteFailure::for_user() const {
    if (was_ready) return "the connection to the remote host was lost";
    switch (reason) {
        case RefusalReason::remote_refused: return "the remote host did not let you in";
        case RefusalReason::remote_host_key: return "the remote host shows a key that is not known for it; tell the gateway's operator";
        case RefusalReason::no_agent: return "the gateway needs your agent to log in to the remote host: connect with ssh -A";
        default: return "the remote host cannot be reached";
    }
}

RemoteLink::RemoteLink(const RemoteSite& site, std::string user, std::vector<RemoteCredential> credentials)
    : site_(site),
      user_(std::move(user)),
      credentials_(std::move(credentials)),
      may_race_(std::ranges::none_of(credentials_, [](const auto& each) { return std::holds_alternative<std::unique_ptr<ssh::AgentSocket>>(each); })),
      made_at_(site.loop.now()),
      stall_(site.loop, [this] { look_for_stall(); }) {
    begin_line();
}

RemoteLink::~RemoteLink() { let_go_but(nullptr); }

ssh::ClientConnection& RemoteLink::connection() { return lines_.front()->connection(); }

void RemoteLink::add(Waiter& waiter) { waiters_.push_back(&waiter); }

void RemoteLink::remove(Waiter& waiter) { std::erase(waiters_, &waiter); }

// A waiter may remove itself or others, and let go of the link, when it is told.
template <class Tell>
void RemoteLink::tell_all(Tell&& tell) {
    const auto self = weak_from_this().lock();
    const std::vector<Waiter*> told = waiters_;
    for (Waiter* const waiter : told)
        if (std::ranges::find(waiters_, waiter) != waiters_.end()) tell(*waiter);
}

void RemoteLink::begin_line() {
    const auto left = site_.connect_timeout - std::chrono::duration_cast<std::chrono::milliseconds>(site_.loop.now() - made_at_);
    lines_.push_back(std::make_unique<RemoteLine>(site_, user_, credentials_, std::max<std::chrono::milliseconds>(left, kStalled), static_cast<RemoteLine::Owner&>(*this)));
    if (may_race_ && lines_.size() < kMostLines) stall_.start(kStalled);
}

void RemoteLink::look_for_stall() {
    const Duration silent = site_.loop.now() - lines_.back()->heard_at();
    if (silent >= kStalled) return begin_line();
    stall_.start(kStalled - silent);
}

// A line may stand on the stack: it goes at the end of the turn.
void RemoteLink::let_go_but(const RemoteLine* kept) {
    stall_.cancel();
    for (auto& line : lines_) {
        if (line.get() == kept) continue;
        line->leave();
        site_.loop.dispose(std::move(line));
    }
    std::erase(lines_, nullptr);
}

void RemoteLink::on_line_ready(RemoteLine& line) {
    state_ = State::ready;
    let_go_but(&line);
    credentials_.clear();
    tell_all([this](Waiter& waiter) { waiter.on_link_ready(*this); });
}

void RemoteLink::on_line_channel(std::unique_ptr<ssh::IncomingChannel> channel) {
    if (receiver_) receiver_->on_link_channel(std::move(channel));
    else channel->refuse();
}

// Who was refused is refused; who was not reached may be by another line.
void RemoteLink::on_line_over(RemoteLine& line, RefusalReason reason, std::string detail) {
    if (state_ == State::over) return;
    if (reason == RefusalReason::remote_unreachable && lines_.size() > 1) {
        const auto gone = std::ranges::find(lines_, &line, &std::unique_ptr<RemoteLine>::get);
        site_.loop.dispose(std::move(*gone));
        lines_.erase(gone);
        if (!stall_.running()) stall_.start(kStalled);
        return;
    }
    fail(reason, std::move(detail));
}

void RemoteLink::fail(RefusalReason reason, std::string detail) {
    if (state_ == State::over) return;
    failure_ = {reason, std::move(detail), state_ == State::ready};
    state_ = State::over;
    stall_.cancel();
    for (const auto& line : lines_) line->close({Errc::refused, failure_.detail});
    tell_all([this](Waiter& waiter) { waiter.on_link_over(*this, failure_); });
}

}  // namespace sallyport::gateway
