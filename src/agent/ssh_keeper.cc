#include "agent/ssh_keeper.h"

#include <algorithm>


namespace sallyport {
namespace {

std::chrono::milliseconds at_least_zero(Duration wait) { return std::chrono::ceil<std::chrono::milliseconds>(std::max<Duration>(wait, Duration::zero())); }

}  // namespace

SshKeeper::SshKeeper(Loop& loop, Workers& workers, Log& log, SshServer server, SshMemory& memory, Settings settings, MakeLink make_link, Owner& owner)
    : loop_(loop),
      workers_(workers),
      log_(log),
      server_(std::move(server)),
      memory_(memory),
      settings_(std::move(settings)),
      make_link_(std::move(make_link)),
      owner_(owner),
      failures_(log, server_.config.url()),
      back_off_(settings_.reconnect_base, settings_.reconnect_max),
      redial_(loop, [this] { dial(); }) {}

SshKeeper::~SshKeeper() = default;

void SshKeeper::start() {
    if (up_ || preflight_ || link_) return;
    redial_.start(at_least_zero(may_dial_at_ - loop_.now()));
}

void SshKeeper::stop() {
    redial_.cancel();
    loop_.dispose(std::move(preflight_));
    if (link_) link_->close();
    let_go();
    if (std::exchange(up_, false))
        log_.info("agent.disconnected", {{"relay", server_.config.url()}, {"reason", "stopped"}, {"age_s", std::chrono::duration_cast<std::chrono::seconds>(loop_.now() - up_at_).count()}});
}

void SshKeeper::let_go() {
    for (auto& look : public_looks_) loop_.dispose(std::move(look));
    public_looks_.clear();
    if (link_) leaving_.push_back(std::move(link_));
}

void SshKeeper::on_link_gone(SshLink& link) {
    const auto found = std::ranges::find(leaving_, &link, &std::unique_ptr<SshLink>::get);
    if (found == leaving_.end()) return;
    loop_.dispose(std::move(*found));
    leaving_.erase(found);
}

void SshKeeper::check() {
    if (link_) return link_->check();
    // A server that said no would say it again, and count.
    if (redial_.running() && !refused_) redial_.start(Duration::zero());
}

void SshKeeper::dial() {
    ++attempts_;
    if (!settings_.look_first || looked_ || server_.program) return connect();
    preflight_ = std::make_unique<SshPreflight>(loop_, workers_, server_.config, server_.connect_timeout, [this](std::expected<SshPreflight::Seen, SshFailure> seen) {
        loop_.dispose(std::move(preflight_));
        if (!seen) return failed(seen.error());
        looked_ = true;
        log_.info("agent.ssh_seen", {{"relay", server_.config.url()}, {"address", seen->address}, {"version", seen->version}});
        connect();
    });
}

void SshKeeper::connect() { link_ = make_link_(server_, memory_.has_worked(memory_of(server_.config)), *this); }

std::string SshKeeper::memory_of(const SshServerConfig& config) {
    std::string text = config.url();
    for (const SshForward& forward : config.forwards) text += " " + forward.line.listen_text();
    return text;
}

// ---- what the link says

void SshKeeper::on_link_up(const SshLink::Up& up) {
    up_ = true;
    looked_ = true;
    up_at_ = loop_.now();
    attempts_ = 0;
    failures_.forget();
    if (const auto noted = memory_.note_worked(memory_of(server_.config)); !noted) log_.error("agent.state_not_written", {{"reason", noted.error().detail}});
    log_.info("agent.connected", {{"relay", server_.config.url()}, {"address", up.address}, {"version", up.version}});
    const auto& forwards = server_.config.forwards;
    for (std::size_t at = 0; at < forwards.size(); ++at) {
        RemoteForward line = forwards[at].line;
        line.port = up.ports[at];
        log_.info("agent.forward", {{"relay", server_.config.url()}, {"listen", line.listen_text()}, {"target", server_.targets[at]}});
    }
    look_from_outside(up);
    owner_.on_server_up(*this, up);
}

void SshKeeper::on_link_stream(std::size_t forward, std::unique_ptr<IncomingStream> stream) {
    for (const auto& look : public_looks_)
        if (look->forward() == forward) look->on_stream();
    owner_.on_server_stream(*this, forward, std::move(stream));
}

void SshKeeper::on_link_key_noted(std::string_view fingerprint) {
    log_.warn("agent.ssh_key_noted", {{"server", server_.config.name},
                                      {"fingerprint", fingerprint},
                                      {"advice", "first use: compare it with what the server itself shows (ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub; a relay of ours: sallyport admin status); another one later is refused"}});
}

void SshKeeper::on_link_notice(std::string_view event, std::string_view text) { log_.warn(event, {{"server", server_.config.name}, {"text", text}}); }

void SshKeeper::on_link_closed(const SshFailure& why) {
    let_go();
    if (!std::exchange(up_, false)) return failed(why);
    refused_ = false;
    const auto age = loop_.now() - up_at_;
    back_off_.connection_lasted(age);
    log_.warn("agent.disconnected", {{"relay", server_.config.url()},
                                     {"reason", name_of(why.kind)},
                                     {"detail", why.reason},
                                     {"age_s", std::chrono::duration_cast<std::chrono::seconds>(age).count()}});
    may_dial_at_ = loop_.now() + back_off_.next(settings_.random());
    owner_.on_server_down(*this);
}

void SshKeeper::failed(const SshFailure& why) {
    log_.debug("agent.dial_failed", {{"relay", server_.config.url()}, {"cause", name_of(why.kind)}, {"reason", why.reason}});
    const bool lasting = why.needs_person() || why.kind == SshFailure::Kind::forward_taken;
    failures_.tell(name_of(why.kind), why.reason, why.advice, why.needs_person() ? LogLevel::error : LogLevel::warn,
                   lasting ? DialFailureLog::Weight::lasting : DialFailureLog::Weight::passing, attempts_, loop_.now());
    refused_ = why.needs_person();
    may_dial_at_ = loop_.now() + delay_after(why);
    owner_.on_server_down(*this);
}

std::chrono::milliseconds SshKeeper::delay_after(const SshFailure& why) {
    if (why.needs_person()) return back_off_.next_after_refusal(settings_.random());
    const auto delay = back_off_.next(settings_.random());
    return why.kind == SshFailure::Kind::forward_taken ? std::min<std::chrono::milliseconds>(delay, kMostWhileTaken) : delay;
}

void SshKeeper::look_from_outside(const SshLink::Up& up) {
    if (std::exchange(looked_from_outside_, true)) return;
    for (std::size_t at = 0; at < server_.config.forwards.size(); ++at) {
        RemoteForward line = server_.config.forwards[at].line;
        line.port = up.ports[at];
        if (auto plan = plan_public_look(line, up))
            public_looks_.push_back(std::make_unique<SshPublicLook>(loop_, workers_, log_, server_.config.name, at, line.listen_text(), line.port, std::move(*plan)));
    }
}

}  // namespace sallyport
