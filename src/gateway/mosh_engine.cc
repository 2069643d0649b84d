#include "gateway/mosh_engine.h"

#include <signal.h>

#include <cstdlib>

#include <fmt/format.h>

#include "gateway/datagram_link.h"
#include "gateway/mosh_output_filter.h"
#include "gateway/pty_process.h"
#include "gateway/terminfo_entry.h"

namespace sallyport::gateway {
namespace {

constexpr std::chrono::seconds kShutdown{5};  // for mosh-client to tell mosh-server good-bye

std::string_view name_of(MoshPrediction prediction) {
    switch (prediction) {
        case MoshPrediction::adaptive: return "adaptive";
        case MoshPrediction::always: return "always";
        case MoshPrediction::never: return "never";
        case MoshPrediction::experimental: return "experimental";
    }
    return "adaptive";
}

class MoshEngine final : public TerminalEngine, PtyProcess::Owner, DatagramLink::Owner {
public:
    MoshEngine(Loop& loop, ProcessReaper& reaper, const MoshSettings& settings, MoshStart start)
        : loop_(loop), reaper_(reaper), settings_(settings), start_(std::move(start)), filter_(start_.exit_nonce) {}

    void start(TerminalEngine::Owner& owner, TerminalSize size) override;
    std::size_t write(Octets octets) override { return client_ ? client_->write(octets) : octets.size(); }
    void pause(bool on) override;
    void resize(TerminalSize size) override;
    bool repaint() override;
    void hang_up() override;
    LinkState link() const override { return link_ ? link_->state() : last_link_; }
    TerminalTraits traits() const override { return {"mosh", true, true}; }

private:
    void on_pty_octets(Octets octets) override;
    void on_pty_room() override { owner_->on_terminal_room(); }
    void on_pty_exit(const PtyProcess::Exit& exit) override;
    void on_link_contact() override;
    void on_link_refused() override { end(TerminalEnd::How::lost, "mosh-server is gone: its port refuses datagrams"); }
    Result<> open(TerminalSize size);
    void end(TerminalEnd::How how, std::string detail);

    Loop& loop_;
    ProcessReaper& reaper_;
    const MoshSettings settings_;
    MoshStart start_;
    MoshOutputFilter filter_;
    TerminalEngine::Owner* owner_ = nullptr;
    std::unique_ptr<DatagramLink> link_;
    std::unique_ptr<PtyProcess> client_;
    LinkState last_link_;
    bool contact_ = false;
    bool hanging_up_ = false;
    bool over_ = false;
    std::string failure_;
    Timer contact_timer_{loop_, [this] { end(TerminalEnd::How::no_contact, "no datagram came back: is UDP blocked?"); }};
    Timer hang_up_timer_{loop_, [this] { end(TerminalEnd::How::lost, "hung up without the remote's answer"); }};
    TurnEnd failed_{loop_, [this] { end(TerminalEnd::How::lost, failure_); }};
};

Result<> MoshEngine::open(TerminalSize size) {
    auto link = DatagramLink::open(loop_, {.repeat = settings_.repeat, .refused_after = settings_.refused_after}, start_.remote,
                                   start_.server.key, *this);
    if (!link) return std::unexpected(std::move(link.error()));
    const SocketAddress to = (*link)->client_side();
    const char* path = std::getenv("PATH");
    const PtyProgram program{
        .path = settings_.client.string(),
        .arguments = {to.ip(), std::to_string(to.port())},
        .environment = {fmt::format("PATH={}", path ? path : "/usr/local/bin:/usr/bin:/bin"), "LC_ALL=C.UTF-8",
                        "TERM=" + mosh_client_term(start_.term), "MOSH_NO_TERM_INIT=1", "MOSH_TITLE_NOPREFIX=1", "MOSH_ESCAPE_KEY=",
                        fmt::format("MOSH_PREDICTION_DISPLAY={}", name_of(settings_.prediction)),
                        fmt::format("MOSH_PREDICTION_OVERWRITE={}", settings_.predict_overwrite ? "yes" : "no")},
        .secrets = {{"MOSH_KEY", start_.server.key}},
    };
    auto client = PtyProcess::spawn(loop_, reaper_, program, size, *this);
    if (!client) return std::unexpected(std::move(client.error()));
    link_ = std::move(*link);
    client_ = std::move(*client);
    start_.server.key = Secret();  // the link and mosh-client have it now
    return {};
}

void MoshEngine::start(TerminalEngine::Owner& owner, TerminalSize size) {
    owner_ = &owner;
    if (auto opened = open(size); !opened) {
        failure_ = opened.error().detail;
        return failed_.ask();
    }
    contact_timer_.start(settings_.contact_timeout);
}

void MoshEngine::pause(bool on) {
    if (client_) client_->pause(on);
}

void MoshEngine::resize(TerminalSize size) {
    if (client_) client_->resize(size);
}

// mosh-client takes SIGCONT for "back from being suspended", and then knows nothing about what the terminal shows.
bool MoshEngine::repaint() {
    if (!client_) return false;
    client_->signal(SIGCONT);
    return true;
}

void MoshEngine::hang_up() {
    if (over_ || hanging_up_) return;
    hanging_up_ = true;
    contact_timer_.cancel();
    if (client_) client_->signal(SIGHUP);
    hang_up_timer_.start(kShutdown);
}

void MoshEngine::on_link_contact() {
    contact_ = true;
    contact_timer_.cancel();
    owner_->on_terminal_contact();
    repaint();  // all it drew until now said "nothing received", and was not shown
}

void MoshEngine::on_pty_octets(Octets octets) {
    const Octets shown = filter_.feed(octets);
    if (contact_ && !shown.empty()) owner_->on_terminal_octets(shown);
}

void MoshEngine::on_pty_exit(const PtyProcess::Exit& exit) {
    const Octets rest = filter_.finish();
    if (contact_ && !rest.empty()) owner_->on_terminal_octets(rest);
    if (filter_.exit_status()) return end(TerminalEnd::How::shell_ended, "");
    if (hanging_up_) return end(TerminalEnd::How::lost, "hung up");
    if (exit.by_signal) return end(TerminalEnd::How::lost, fmt::format("mosh-client was ended by signal {}", exit.status));
    if (!contact_) return end(TerminalEnd::How::no_contact, fmt::format("mosh-client ended with {}", exit.status));
    end(TerminalEnd::How::lost, "mosh-server ended without the shell's exit status");
}

void MoshEngine::end(TerminalEnd::How how, std::string detail) {
    if (over_) return;
    over_ = true;
    contact_timer_.cancel();
    hang_up_timer_.cancel();
    TerminalEnd end{.how = how, .exit_status = filter_.exit_status(), .exit_signal = {}, .detail = std::move(detail), .cleanup_command = {}};
    if (how != TerminalEnd::How::shell_ended && start_.server.pid) {
        end.cleanup_command = fmt::format("exec sh -c 'case $(ps -o comm= -p {0}) in *mosh-server*) kill {0};; esac'", *start_.server.pid);
    }
    last_link_ = link();
    // The child goes at once; not on the stack of its own call.
    loop_.dispose(std::move(client_));
    loop_.dispose(std::move(link_));
    owner_->on_terminal_end(end);
}

}  // namespace

Result<MoshPrediction> parse_mosh_prediction(std::string_view text) {
    for (const auto prediction : {MoshPrediction::adaptive, MoshPrediction::always, MoshPrediction::never, MoshPrediction::experimental})
        if (text == name_of(prediction)) return prediction;
    return fail(Errc::invalid_argument, fmt::format("\"{}\" is none of adaptive, always, never, experimental", text));
}

std::unique_ptr<TerminalEngine> make_mosh_engine(Loop& loop, ProcessReaper& reaper, const MoshSettings& settings, MoshStart start) {
    return std::make_unique<MoshEngine>(loop, reaper, settings, std::move(start));
}

}  // namespace sallyport::gateway
