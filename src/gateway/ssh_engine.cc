#include "gateway/ssh_engine.h"

#include "gateway/octet_queue.h"

namespace sallyport::gateway {
namespace {

constexpr std::size_t kMostKeys = 64 * 1024;  // typed and not sent yet

class SshEngine final : public TerminalEngine, ssh::Channel::Owner {
public:
    SshEngine(Loop& loop, RemoteLinkPtr link, SshTerminalStart start) : loop_(loop), link_(std::move(link)), start_(std::move(start)) {}

    void start(TerminalEngine::Owner& owner, TerminalSize size) override {
        owner_ = &owner;
        size_ = size;
        auto channel = link_->ready() ? link_->connection().open_session(*this) : Result<ssh::ChannelPtr>(fail(Errc::unreachable, "the connection is gone"));
        if (channel) {
            channel_ = std::move(*channel);
            return;
        }
        detail_ = channel.error().detail;
        failed_ = std::make_unique<TurnEnd>(loop_, [this] { finish({.how = TerminalEnd::How::lost, .detail = detail_}); });
        failed_->ask();
    }

    std::size_t write(Octets octets) override {
        const std::size_t taken = std::min(octets.size(), kMostKeys - std::min(kMostKeys, keys_.size()));
        keys_.put(octets.first(taken));
        full_ = taken < octets.size();
        wake();
        return taken;
    }

    // Octets that came meanwhile are credited later: at most a window of them.
    void pause(bool on) override {
        paused_ = on;
        if (on || !channel_) return;
        if (held_.empty()) return;
        std::string held(held_.size(), '\0');
        held_.take(std::as_writable_bytes(std::span(held)));
        show(as_octets(held));
    }

    void resize(TerminalSize size) override {
        size_ = size;
        if (running_ && channel_) channel_->send_window_change(on_wire());
    }

    bool repaint() override { return false; }

    void hang_up() override {
        if (!channel_) return;
        channel_->send_signal("HUP");
        channel_.reset();  // sshd hangs up the terminal of a channel that is closed
        if (!failed_) failed_ = std::make_unique<TurnEnd>(loop_, [this] { finish({.how = TerminalEnd::How::shell_ended, .detail = "hung up"}); });
        failed_->ask();
    }

    LinkState link() const override {
        LinkState state;
        if (!link_->ready()) return state;
        const ssh::ClientConnection& connection = link_->connection();
        state.since_contact = loop_.now() - connection.heard_at();
        state.round_trip = connection.round_trip();
        state.received_octets = connection.octets_in();
        state.sent_octets = connection.octets_out();
        return state;
    }

    void seek_contact() override {
        if (channel_ && link_->ready()) link_->connection().ping();
    }

    TerminalTraits traits() const override { return {.name = "ssh"}; }

private:
    ssh::TerminalSize on_wire() const {
        return {.columns = static_cast<std::uint32_t>(size_.columns), .rows = static_cast<std::uint32_t>(size_.rows)};
    }
    void wake() {
        if (running_ && channel_) channel_->wake();
    }
    void show(Octets octets) {
        owner_->on_terminal_octets(octets);
        if (channel_) channel_->consumed(octets.size());
    }

    void on_channel_open() override {
        if (start_.agent) channel_->request_agent();
        for (const auto& [name, value] : start_.variables) channel_->request_env(name, value, {});
        channel_->request_pty(start_.term.empty() ? "xterm" : start_.term, on_wire(), {});
        const auto done = [this](bool accepted) {
            if (!accepted) return finish({.how = TerminalEnd::How::lost, .detail = "the remote starts no shell"});
            running_ = true;
            channel_->send_window_change(on_wire());  // it may have changed meanwhile
            owner_->on_terminal_contact();
            wake();
        };
        if (start_.command.empty()) channel_->request_shell(done);
        else channel_->request_exec(start_.command, done);
    }
    void on_channel_refused(const Error& error) override { finish({.how = TerminalEnd::How::lost, .detail = error.detail}); }
    void on_channel_octets(Octets octets) override {
        if (paused_) held_.put(octets);
        else show(octets);
    }
    void on_channel_eof() override {}
    void on_channel_exit(const ssh::ExitStatus& status) override {
        exited_ = true;
        if (status.signal.empty()) end_.exit_status = static_cast<int>(status.code);
        else end_.exit_signal = status.signal;
    }
    void on_channel_closed(const Error& reason) override {
        channel_.reset();
        if (!held_.empty()) pause_over();
        end_.how = exited_ ? TerminalEnd::How::shell_ended : TerminalEnd::How::lost;
        end_.detail = reason.detail;
        finish(end_);
    }
    void pause_over() {
        std::string held(held_.size(), '\0');
        held_.take(std::as_writable_bytes(std::span(held)));
        owner_->on_terminal_octets(as_octets(held));
    }
    ssh::Channel::Pulled on_channel_pull(MutableOctets room) override {
        if (!running_) return {};
        const std::size_t count = keys_.take(room);
        if (full_ && keys_.size() < kMostKeys / 2) {
            full_ = false;
            owner_->on_terminal_room();
        }
        return {count, false};
    }
    void finish(TerminalEnd end) {
        if (std::exchange(over_, true)) return;
        channel_.reset();
        owner_->on_terminal_end(end);
    }

    Loop& loop_;
    const RemoteLinkPtr link_;
    const SshTerminalStart start_;
    TerminalEngine::Owner* owner_ = nullptr;
    TerminalSize size_;
    ssh::ChannelPtr channel_;
    OctetQueue keys_;
    OctetQueue held_;
    TerminalEnd end_;
    std::string detail_;
    bool running_ = false;
    bool paused_ = false;
    bool full_ = false;
    bool exited_ = false;
    bool over_ = false;
    std::unique_ptr<TurnEnd> failed_;
};

}  // namespace

std::unique_ptr<TerminalEngine> make_ssh_engine(Loop& loop, RemoteLinkPtr link, SshTerminalStart start) {
    return std::make_unique<SshEngine>(loop, std::move(link), std::move(start));
}

}  // namespace sallyport::gateway
