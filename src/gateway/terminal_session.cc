#include "gateway/terminal_session.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "gateway/frame_gaps.h"
#include "gateway/key_filter.h"
#include "gateway/screen.h"
#include "gateway/screen_redraw.h"
#include "gateway/scrollback.h"
#include "gateway/scrollback_view.h"
#include "gateway/status_line.h"

namespace sallyport::gateway {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr std::size_t kMostWaiting = 256 * 1024;  // octets for a slow client; then the engine is held back
constexpr std::size_t kFramesWaiting = 64 * 1024; // or, with screen states, skipped until the client has caught up
constexpr std::size_t kMostKeys = 64 * 1024;      // that the engine didn't take yet
constexpr std::size_t kMostEarlyKeys = 4 * 1024;  // typed before the remote answered; given again to another engine
constexpr milliseconds kFrameSettles{10};         // mosh's states come at least 20 ms apart
constexpr milliseconds kFrameSettlesAtLatest{100};
constexpr milliseconds kHalfSequence{500};        // for the rest of a sequence, before the screen is drawn without it
constexpr seconds kHelpShown{10};
constexpr seconds kAskForContact{3};              // of silence; as often as mosh does
constexpr seconds kFirstClient{60};               // to be attached after start, whatever detach_timeout is
constexpr std::size_t kMostTitle = 80;

// Characters of a title that no terminal takes for anything else.
std::string harmless(std::string_view title) {
    std::string out;
    std::size_t characters = 0;
    for (const char c : title) {
        const auto octet = static_cast<unsigned char>(c);
        if (octet < 0x20 || octet == 0x7F) continue;
        if ((octet & 0xC0) != 0x80 && ++characters > kMostTitle) break;
        out += c;
    }
    return out;
}

}  // namespace

struct TerminalSession::State final : Screen::Owner {
    State(TerminalSession& s, Loop& l, const Settings& config, SessionHolder h, std::unique_ptr<TerminalEngine> e, TerminalSession::Owner& o)
        : session(s), loop(l), settings(config), holder(std::move(h)), owner(o), engine(std::move(e)), traits(engine->traits()),
          scrollback({.lines = config.scrollback_lines, .octets = config.scrollback_octets}), keys(config.escape_key), began(l.now()),
          last_key(l.now()) {}

    // Screen::Owner
    void on_row_scrolled_off(const Screen& of, const Row& row) override {
        gaps.note_scrolled();
        scrollback.push(of, row);
    }
    void on_scrollback_cleared() override { scrollback.clear(); }

    void show(std::string_view text);
    void draw_screen();
    void draw_view() { show(view->draw()); }
    void close_view();
    void hide_overlay();
    void show_overlay(std::string_view text);
    void watch_link();
    void look_at_link();
    void show_link();
    void take_octets(Octets octets);
    void settle_frame();
    void run(KeyFilter::Command command);
    void flush_keys();
    void leave(SessionClient::Leave::Why why, std::string message);
    void leave_if_pulled();
    void let_go();
    void after_pull();
    void end(const TerminalEnd& how);
    void leave_ended();
    void notify_end();
    void say(std::string_view line);

    TerminalSession& session;
    Loop& loop;
    const Settings settings;
    const SessionHolder holder;
    TerminalSession::Owner& owner;
    std::unique_ptr<TerminalEngine> engine;
    TerminalTraits traits;
    std::optional<Screen> screen_;
    Screen& screen() { return *screen_; }
    Scrollback scrollback;
    FrameGaps gaps;
    KeyFilter keys;
    std::optional<ScrollbackView> view;
    TimePoint began;
    TimePoint last_key;

    SessionClient* client = nullptr;
    std::string waiting;            // for the client
    std::size_t pulled = 0;         // of it
    bool engine_paused = false;
    bool skipping = false;          // the client is behind: screen states are not for it until it has caught up
    bool redraw_pending = false;    // until the sequence under way is whole
    bool overlay = false;
    std::optional<SessionClient::Leave> leaving;
    std::optional<TimePoint> detached_at;

    std::string typed;              // what the engine has still to take
    std::string early;
    bool contact = false;
    bool client_waits_for_room = false;
    std::optional<TerminalEnd> ended;
    bool owner_told = false;

    std::optional<TimePoint> frame_began;
    Timer frame_timer{loop, [this] { settle_frame(); }};
    Timer detach_timer{loop, [this] { session.hang_up(); }};
    Timer link_timer{loop, [this] { look_at_link(); }};
    Timer redraw_timer{loop, [this] { draw_screen(); }};
    Timer overlay_timer{loop, [this] { hide_overlay(); }};
    TurnEnd pulled_out{loop, [this] { after_pull(); }};
};

TerminalSession::TerminalSession(Loop& loop, const Settings& settings, SessionHolder holder, std::unique_ptr<TerminalEngine> engine, Owner& owner)
    : state_(std::make_unique<State>(*this, loop, settings, std::move(holder), std::move(engine), owner)) {}

TerminalSession::~TerminalSession() = default;

void TerminalSession::start(TerminalSize size, std::string_view notice) {
    State& s = *state_;
    s.screen_.emplace(size, &s);
    if (!notice.empty()) s.say(notice);
    s.detached_at = s.loop.now();
    s.detach_timer.start(std::max<seconds>(s.settings.detach_timeout, kFirstClient));
    s.watch_link();
    s.engine->start(*this, size);
}

// ---- to the client

void TerminalSession::State::show(std::string_view text) {
    if (!client || text.empty()) return;
    waiting += text;
    client->on_session_octets_ready();
}

// One line of ours in the session's own text.
void TerminalSession::State::say(std::string_view line) {
    const std::string text = fmt::format("sallyport: {}\r\n", line);
    screen().feed(as_octets(text));
    if (client && !view && !leaving) show(text);
}

void TerminalSession::State::draw_screen() {
    redraw_timer.cancel();
    redraw_pending = false;
    overlay = false;
    if (client) show(redraw(screen()));
}

void TerminalSession::State::close_view() {
    view.reset();
    if (screen().between_sequences()) return draw_screen();
    redraw_pending = true;
    redraw_timer.start(kHalfSequence);
}

void TerminalSession::State::hide_overlay() {
    overlay_timer.cancel();
    if (!std::exchange(overlay, false) || !client || view) return;
    show(redraw_row(screen(), 0));
}

void TerminalSession::State::show_overlay(std::string_view text) {
    if (!client || view || leaving || redraw_pending || skipping || !screen().between_sequences()) return;
    overlay = true;
    show(draw_status_line(screen(), text));
}

// Each second while there is something to show; else seldom enough to cost nothing.
void TerminalSession::State::watch_link() {
    if (traits.shows_outage || ended) link_timer.cancel();
    else if (overlay) link_timer.start(seconds(1));
    else link_timer.start_about(seconds(2));
}

void TerminalSession::State::look_at_link() {
    show_link();
    watch_link();
}

void TerminalSession::State::show_link() {
    if (overlay_timer.running()) return;
    const LinkState link = engine->link();
    // An idle connection is silent, too: whether it is down shows by asking.
    if (client && link.since_contact && *link.since_contact >= kAskForContact) engine->seek_contact();
    if (contact && link.since_contact && *link.since_contact >= settings.outage_after)
        show_overlay(last_contact_text(*link.since_contact, settings.escape_key));
    else
        hide_overlay();
}

std::size_t TerminalSession::pull(MutableOctets room) {
    State& s = *state_;
    const std::size_t size = std::min(room.size(), s.waiting.size() - s.pulled);
    std::copy_n(as_octets(s.waiting).begin() + static_cast<std::ptrdiff_t>(s.pulled), size, room.begin());
    s.pulled += size;
    if (s.pulled < s.waiting.size()) {
        if (s.pulled >= kFramesWaiting) s.waiting.erase(0, std::exchange(s.pulled, 0));
    } else {
        s.waiting.clear();
        s.pulled = 0;
        if (s.waiting.capacity() > kFramesWaiting) s.waiting.shrink_to_fit();
        if (s.leaving || s.skipping) s.pulled_out.ask();
    }
    if (s.engine_paused && s.waiting.size() - s.pulled < kMostWaiting / 2) s.pulled_out.ask();
    return size;
}

// Not inside pull(): what this shows would overtake what that is handing over.
void TerminalSession::State::after_pull() {
    if (leaving) return leave_if_pulled();
    if (engine_paused && waiting.size() - pulled < kMostWaiting / 2) {
        engine_paused = false;
        engine->pause(false);
    }
    if (skipping && pulled == waiting.size()) {
        skipping = false;
        if (!view) close_view();  // draws the screen as it is now, as soon as that can be done
    }
}

// ---- from the engine

void TerminalSession::on_terminal_octets(Octets octets) { state_->take_octets(octets); }

void TerminalSession::State::take_octets(Octets octets) {
    if (overlay) {
        overlay_timer.cancel();
        hide_overlay();
    }
    if (traits.sends_frames) {
        if (!frame_began) frame_began = loop.now();
        gaps.begin(screen());
        if (loop.now() - *frame_began >= kFrameSettlesAtLatest) settle_frame();
        else frame_timer.start(kFrameSettles);
    }
    screen().feed(octets);
    if (!client || leaving || view || skipping) return;
    if (redraw_pending) {
        if (screen().between_sequences()) draw_screen();
        return;
    }
    waiting += as_text(octets);
    const std::size_t behind = waiting.size() - pulled;
    client->on_session_octets_ready();
    if (traits.sends_frames) {
        skipping = behind > kFramesWaiting;
    } else if (behind > kMostWaiting && !engine_paused) {
        engine_paused = true;
        engine->pause(true);
    }
}

void TerminalSession::State::settle_frame() {
    frame_timer.cancel();
    frame_began.reset();
    if (gaps.under_way()) gaps.settle(screen(), scrollback);
}

void TerminalSession::on_terminal_contact() {
    state_->contact = true;
    state_->early.clear();
    state_->early.shrink_to_fit();
}

void TerminalSession::on_terminal_room() { state_->flush_keys(); }

void TerminalSession::on_terminal_end(const TerminalEnd& end) {
    State& s = *state_;
    if (end.how == TerminalEnd::How::no_contact && !s.contact) {
        Owner::Replacement next = s.owner.on_session_no_contact(*this, end);
        if (next.engine) {
            s.loop.dispose(std::exchange(s.engine, std::move(next.engine)));
            s.traits = s.engine->traits();
            s.engine_paused = false;
            s.frame_timer.cancel();
            s.frame_began.reset();
            if (!next.notice.empty()) s.say(next.notice);
            s.watch_link();
            s.engine->start(*this, s.screen().size());
            s.typed = s.early;
            return s.flush_keys();
        }
    }
    s.end(end);
}

// ---- the end

void TerminalSession::State::end(const TerminalEnd& how) {
    if (ended) return;
    ended = how;
    frame_timer.cancel();
    link_timer.cancel();
    detach_timer.cancel();
    if (client && !leaving) leave_ended();
    else if (!client) notify_end();
}

void TerminalSession::State::leave_ended() {
    const bool in_order = ended->how == TerminalEnd::How::shell_ended;
    const std::string why = ended->detail.empty() ? "the remote is gone" : ended->detail;
    leave(SessionClient::Leave::Why::ended, in_order ? "" : "the session was lost: " + why);
}

void TerminalSession::State::notify_end() {
    if (!ended || std::exchange(owner_told, true)) return;
    owner.on_session_end(session, *ended);
}

void TerminalSession::State::leave(SessionClient::Leave::Why why, std::string message) {
    // What the view or an overlay hides is shown once more, so that the terminal keeps the session's last screen.
    if (view || skipping || overlay || redraw_pending) {
        view.reset();
        skipping = redraw_pending = overlay = false;
        show(redraw(screen()));
    }
    const bool plain_end = why == SessionClient::Leave::Why::ended && !traits.sends_frames && !screen().on_alternate();
    leaving = SessionClient::Leave{.why = why, .exit_status = {}, .exit_signal = {}, .message = std::move(message)};
    if (ended && why == SessionClient::Leave::Why::ended) {
        leaving->exit_status = ended->exit_status;
        leaving->exit_signal = ended->exit_signal;
    }
    show(plain_end ? reset_modes(screen()) : leave_terminal(screen()));
    pulled_out.ask();
}

void TerminalSession::State::leave_if_pulled() {
    if (!client || !leaving || pulled < waiting.size()) return;
    SessionClient& leaver = *client;
    const SessionClient::Leave how = *leaving;
    let_go();
    leaver.on_session_left(how);
    if (ended) return notify_end();
    if (settings.detach_timeout == seconds(0)) return session.hang_up();
    detach_timer.start(settings.detach_timeout);
}

void TerminalSession::hang_up() {
    if (!state_->ended) state_->engine->hang_up();
}

// ---- attaching

void TerminalSession::attach(SessionClient& client, TerminalSize size) {
    State& s = *state_;
    if (s.client && s.client != &client) {
        SessionClient& before = *s.client;
        s.let_go();
        before.on_session_left({.why = SessionClient::Leave::Why::taken_over, .exit_status = {}, .exit_signal = {}, .message = "the session goes on at another terminal"});
    }
    s.client = &client;
    s.detached_at.reset();
    s.detach_timer.cancel();
    s.leaving.reset();
    if (s.ended) return s.leave_ended();
    // What stands on the terminal goes up into its own scrollback, as far as it is written.
    std::string above;
    for (int i = 1; i < size.rows; ++i) above += "\r\n";
    s.show(above);
    if (size != s.screen().size()) {
        s.screen().resize(size);
        s.engine->resize(size);
    }
    s.close_view();
}

void TerminalSession::State::let_go() {
    client = nullptr;
    leaving.reset();
    view.reset();
    waiting = {};
    pulled = 0;
    skipping = redraw_pending = overlay = client_waits_for_room = false;
    redraw_timer.cancel();
    overlay_timer.cancel();
    detached_at = loop.now();
    if (std::exchange(engine_paused, false)) engine->pause(false);
}

void TerminalSession::detach(SessionClient& client) {
    State& s = *state_;
    if (s.client != &client) return;
    s.let_go();
    if (s.ended) return s.notify_end();
    if (s.settings.detach_timeout == seconds(0)) return hang_up();
    s.detach_timer.start(s.settings.detach_timeout);
}

void TerminalSession::resize(TerminalSize size) {
    State& s = *state_;
    if (s.ended || size == s.screen().size()) return;
    s.screen().resize(size);
    s.engine->resize(size);
    if (!s.client || s.leaving) return;
    // Terminals differ in what they do to their text; ours counts.
    if (s.view) return s.draw_view();
    s.close_view();
}

// ---- keys

std::size_t TerminalSession::input(Octets octets) {
    State& s = *state_;
    s.last_key = s.loop.now();
    std::size_t taken = 0;
    while (taken < octets.size()) {
        const Octets rest = octets.subspan(taken);
        if (s.ended || s.leaving) {
            taken = octets.size();
            break;
        }
        if (s.view) {
            taken = octets.size();
            if (s.view->keys(rest) == ScrollbackView::After::leave) s.close_view();
            else s.draw_view();
            break;
        }
        if (s.typed.size() >= kMostKeys) {
            s.client_waits_for_room = true;
            break;
        }
        const std::size_t before = s.typed.size();
        const KeyFilter::Step step = s.keys.feed(rest.first(std::min(rest.size(), kMostKeys - before)), s.typed);
        if (!s.contact && s.early.size() < kMostEarlyKeys) s.early.append(s.typed, before, kMostEarlyKeys - s.early.size());
        taken += step.octets;
        if (step.command != KeyFilter::Command::none) s.run(step.command);
    }
    s.flush_keys();
    return taken;
}

void TerminalSession::State::flush_keys() {
    if (ended) typed.clear();
    if (!typed.empty()) {
        const std::size_t taken = engine->write(as_octets(typed));
        typed.erase(0, taken);
        if (typed.empty() && typed.capacity() > kMostEarlyKeys) typed.shrink_to_fit();
    }
    if (client && client_waits_for_room && typed.size() < kMostKeys / 2) {
        client_waits_for_room = false;
        client->on_session_room();
    }
}

void TerminalSession::State::run(KeyFilter::Command command) {
    switch (command) {
        case KeyFilter::Command::none: return;
        case KeyFilter::Command::detach:
            return leave(SessionClient::Leave::Why::detached,
                         settings.detach_timeout == seconds(0) ? "detached" : "detached; the session waits for you to come back");
        case KeyFilter::Command::end: return engine->hang_up();
        case KeyFilter::Command::scrollback:
            if (frame_began) settle_frame();
            overlay = false;
            view.emplace(scrollback, screen(), settings.escape_key);
            return draw_view();
        case KeyFilter::Command::redraw: return close_view();
        case KeyFilter::Command::help:
            show_overlay(key_help(settings.escape_key));
            overlay_timer.start(kHelpShown);
            return;
    }
}

// ---- about it

const SessionHolder& TerminalSession::holder() const { return state_->holder; }
bool TerminalSession::attached() const { return state_->client && !state_->client->seems_gone(); }
bool TerminalSession::resumable() const { return !state_->ended && !attached(); }
Duration TerminalSession::age() const { return state_->loop.now() - state_->began; }
Duration TerminalSession::idle() const { return state_->loop.now() - state_->last_key; }
std::optional<Duration> TerminalSession::detached_for() const {
    if (!state_->detached_at) return std::nullopt;
    return state_->loop.now() - *state_->detached_at;
}
std::string TerminalSession::title() const { return harmless(state_->screen().title()); }
LinkState TerminalSession::link() const { return state_->engine->link(); }
TerminalTraits TerminalSession::traits() const { return state_->traits; }
std::size_t TerminalSession::memory() const {
    const State& s = *state_;
    return sizeof s + s.screen_->memory() + s.scrollback.memory() + s.waiting.capacity() + s.typed.capacity() + s.early.capacity();
}

}  // namespace sallyport::gateway
