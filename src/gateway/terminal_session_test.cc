#include "gateway/terminal_session.h"

#include <gtest/gtest.h>

#include "gateway/screen.h"
#include "gateway/session_registry.h"
#include "gateway/vterm_judge.h"

namespace sallyport::gateway {
namespace {

using namespace std::chrono_literals;
using test::difference;

struct FakeEngine final : TerminalEngine {
    explicit FakeEngine(bool frames) : frames_(frames) {}
    ~FakeEngine() override {
        if (gone) *gone = true;
    }
    void start(Owner& o, TerminalSize s) override {
        owner = &o;
        size = s;
    }
    std::size_t write(Octets octets) override {
        const std::size_t taken = std::min(octets.size(), room);
        keys += as_text(octets.first(taken));
        room -= taken;
        return taken;
    }
    void pause(bool on) override { paused = on; }
    void resize(TerminalSize s) override { size = s; }
    bool repaint() override { return false; }
    void hang_up() override { ++hang_ups; }
    LinkState link() const override { return state; }
    void seek_contact() override { ++asked; }
    TerminalTraits traits() const override { return {frames_ ? "mosh" : "ssh", frames_, frames_}; }
    void say(std::string_view text) { owner->on_terminal_octets(as_octets(text)); }
    void end(TerminalEnd::How how, std::optional<int> status = {}) {
        owner->on_terminal_end({.how = how, .exit_status = status, .exit_signal = {}, .detail = "why", .cleanup_command = {}});
    }

    const bool frames_;
    Owner* owner = nullptr;
    TerminalSize size;
    std::string keys;
    std::size_t room = SIZE_MAX;
    bool paused = false;
    int hang_ups = 0;
    int asked = 0;
    LinkState state;
    bool* gone = nullptr;
};

// A user's terminal, which shows what it pulls.
struct FakeClient final : SessionClient {
    explicit FakeClient(TerminalSize size) : terminal(size) {}
    void on_session_octets_ready() override { ++ready; }
    void on_session_room() override { ++rooms; }
    void on_session_left(const Leave& how) override { left = how; }
    bool seems_gone() const override { return gone; }
    std::string pull(TerminalSession& session, std::size_t step = 1'000, std::size_t most = SIZE_MAX) {
        std::string all;
        std::vector<std::byte> room(step);
        while (all.size() < most) {
            const std::size_t n = session.pull(room);
            if (n == 0) break;
            all += as_text(Octets(room).first(n));
        }
        terminal.feed(as_octets(all));
        return all;
    }
    Screen terminal;
    int ready = 0, rooms = 0;
    bool gone = false;
    std::optional<Leave> left;
};

struct Fixture : TerminalSession::Owner {
    explicit Fixture(bool frames = false, TerminalSession::Settings settings = {}, TerminalSize size = {40, 10}) : reference(size) {
        auto made = std::make_unique<FakeEngine>(frames);
        engine = made.get();
        session = std::make_unique<TerminalSession>(loop, settings, SessionHolder{"alice", "SHA256:x"}, std::move(made), *this);
        session->start(size, "");
        engine->owner->on_terminal_contact();
    }
    Replacement on_session_no_contact(TerminalSession&, const TerminalEnd&) override {
        auto made = std::move(next);
        if (made) engine = made.get();
        return {std::move(made), "using plain SSH"};
    }
    void on_session_end(TerminalSession&, const TerminalEnd& how) override {
        ++ends;
        end = how;
    }
    // What the program writes, to the session and to a terminal that it would have for itself.
    void say(std::string_view text) {
        engine->say(text);
        reference.feed(as_octets(text));
    }
    void pass(Duration time) {
        now += time;
        turn();
    }
    void turn() {
        for (int i = 0; i < 3; ++i) loop.turn(0ms);
    }
    std::size_t type(std::string_view keys) {
        const std::size_t taken = session->input(as_octets(keys));
        turn();
        return taken;
    }
    std::string shows_wrong(FakeClient& client) {
        client.pull(*session);
        turn();
        client.pull(*session);
        return difference(reference, client.terminal);
    }

    TimePoint now = TimePoint(1h);
    Loop loop{[this] { return now; }};
    FakeEngine* engine = nullptr;
    std::unique_ptr<FakeEngine> next;
    std::unique_ptr<TerminalSession> session;
    Screen reference;
    int ends = 0;
    TerminalEnd end;
};

std::string lines(int from, int to) {
    std::string out;
    for (int i = from; i <= to; ++i) out += "\r\nline " + std::to_string(i);
    return out;
}

std::string row_text(const Screen& screen, int row) {
    std::string out;
    for (int c = 0; c < screen.size().columns; ++c) out += screen.cell(row, c).glyph ? static_cast<char>(screen.cell(row, c).glyph) : ' ';
    return out;
}

constexpr TerminalSize kSize{40, 10};

}  // namespace

TEST(TerminalSession, ShowsAClientWhatItsProgramsWrite) {
    Fixture f;
    FakeClient client(kSize);
    f.session->attach(client, kSize);
    f.say("\x1b[31mhello\x1b[m" + lines(1, 20));
    EXPECT_GT(client.ready, 0);
    EXPECT_EQ(f.shows_wrong(client), "");
    EXPECT_EQ(f.type("ls\r"), 3u);
    EXPECT_EQ(f.engine->keys, "ls\r");
}

TEST(TerminalSession, SurvivesItsClientAndIsDrawnForTheNext) {
    Fixture f;
    {
        FakeClient client(kSize);
        f.session->attach(client, kSize);
        f.say("\x1b[?1049h\x1b[2;5r\x1b[1;44mbefore\x1b[?1;1002;1006;2004h\x1b]2;vim\a");
        client.pull(*f.session);
        f.session->detach(client);
    }
    EXPECT_TRUE(f.session->resumable());
    EXPECT_EQ(f.session->title(), "vim");
    f.say("\x1b[5;3Hwhile nobody looked\x1b[?25l");
    FakeClient next(kSize);
    next.terminal.feed(as_octets("what was there" + lines(1, 30)));
    f.session->attach(next, kSize);
    EXPECT_EQ(f.shows_wrong(next), "");
    f.say("\x1b[?1049l and after");
    EXPECT_EQ(f.shows_wrong(next), "");
    EXPECT_EQ(f.ends, 0);
}

TEST(TerminalSession, IsDrawnAtTheNextClientsSize) {
    Fixture f;
    f.say("text" + lines(1, 5));
    const TerminalSize other{60, 20};
    FakeClient client(other);
    f.session->attach(client, other);
    EXPECT_EQ(f.engine->size, other);
    f.reference.resize(other);
    EXPECT_EQ(f.shows_wrong(client), "");
}

TEST(TerminalSession, AClientThatComesInTheMiddleOfASequenceSeesItWhole) {
    Fixture f;
    f.say("text\x1b[3");
    FakeClient client(kSize);
    f.session->attach(client, kSize);
    client.pull(*f.session);
    f.say("1mred");
    EXPECT_EQ(f.shows_wrong(client), "");

    Fixture stuck;
    stuck.say("text\x1b[3");
    FakeClient waiting(kSize);
    stuck.session->attach(waiting, kSize);
    stuck.pass(1s);
    waiting.pull(*stuck.session);
    EXPECT_EQ(row_text(waiting.terminal, 0).substr(0, 4), "text");
}

TEST(TerminalSession, HoldsTheEngineBackForASlowClientAndLosesNothing) {
    Fixture f;
    FakeClient client(kSize);
    f.session->attach(client, kSize);
    client.pull(*f.session);
    std::string all;
    for (int i = 0; !f.engine->paused; ++i) {
        ASSERT_LT(i, 100'000);
        const std::string piece = lines(i, i + 10);
        all += piece;
        f.say(piece);
    }
    EXPECT_LT(f.session->memory(), 2'000'000u);
    EXPECT_EQ(client.pull(*f.session), all);
    f.turn();
    EXPECT_FALSE(f.engine->paused);
    EXPECT_EQ(f.shows_wrong(client), "");
}

TEST(TerminalSession, SkipsScreenStatesForASlowClientAndEndsWithTheLast) {
    Fixture f(true);
    FakeClient client(kSize);
    f.session->attach(client, kSize);
    client.pull(*f.session);
    for (int i = 0; i < 5'000; ++i) f.say("\x1b[H\x1b[2Jstate " + std::to_string(i) + lines(i, i + 8));
    EXPECT_FALSE(f.engine->paused);
    EXPECT_LT(f.session->memory(), 1'000'000u);
    const std::string all = client.pull(*f.session);
    EXPECT_LT(all.size(), 200'000u);
    EXPECT_EQ(f.shows_wrong(client), "");
    f.say("\x1b[Hmore");
    EXPECT_EQ(f.shows_wrong(client), "");
}

TEST(TerminalSession, DetachesByKeyAndLeavesTheTerminalInOrder) {
    Fixture f;
    FakeClient client(kSize);
    f.session->attach(client, kSize);
    f.say("\x1b[?1049h\x1b[?1002;1006;2004;1h\x1b[?25l\x1b[31mvim");
    f.type("x\x1e""dlost");
    ASSERT_FALSE(client.left);
    client.pull(*f.session);
    f.turn();
    ASSERT_TRUE(client.left);
    EXPECT_EQ(client.left->why, SessionClient::Leave::Why::detached);
    EXPECT_NE(client.left->message, "");
    EXPECT_EQ(f.engine->keys, "x");
    EXPECT_FALSE(client.terminal.on_alternate());
    EXPECT_EQ(client.terminal.modes().mouse, 0);
    EXPECT_FALSE(client.terminal.modes().bracketed_paste);
    EXPECT_TRUE(client.terminal.modes().cursor_visible);
    EXPECT_TRUE(f.session->resumable());
    FakeClient next(kSize);
    f.session->attach(next, kSize);
    EXPECT_EQ(f.shows_wrong(next), "");
}

TEST(TerminalSession, ANewClientTakesTheOldOnesPlace) {
    TerminalSession::Settings settings;
    settings.detach_timeout = 0s;  // which must not end it meanwhile
    Fixture f(false, settings);
    FakeClient first(kSize), second(kSize);
    f.session->attach(first, kSize);
    EXPECT_FALSE(f.session->resumable());
    first.gone = true;
    EXPECT_TRUE(f.session->resumable());
    f.session->attach(second, kSize);
    ASSERT_TRUE(first.left);
    EXPECT_EQ(first.left->why, SessionClient::Leave::Why::taken_over);
    f.say("for the second");
    EXPECT_EQ(f.shows_wrong(second), "");
    EXPECT_EQ(f.engine->hang_ups, 0);
    f.session->detach(first);  // too late to matter
    EXPECT_FALSE(f.session->detached_for());
}

TEST(TerminalSession, HangsUpAfterTheDetachTimeout) {
    Fixture f;
    FakeClient client(kSize);
    f.session->attach(client, kSize);
    f.pass(2h);
    f.session->detach(client);
    f.pass(59min);
    EXPECT_EQ(f.engine->hang_ups, 0);
    f.pass(2min);
    EXPECT_EQ(f.engine->hang_ups, 1);
    f.engine->end(TerminalEnd::How::lost);
    EXPECT_EQ(f.ends, 1);
}

TEST(TerminalSession, WithoutADetachTimeoutItEndsWithItsClient) {
    TerminalSession::Settings settings;
    settings.detach_timeout = 0s;
    Fixture f(false, settings);
    FakeClient client(kSize);
    f.session->attach(client, kSize);
    f.turn();
    EXPECT_EQ(f.engine->hang_ups, 0);
    f.session->detach(client);
    EXPECT_EQ(f.engine->hang_ups, 1);
}

TEST(TerminalSession, TheShellsEndReachesTheClientBehindEverything) {
    Fixture f;
    FakeClient client(kSize);
    f.session->attach(client, kSize);
    f.say("bye");
    f.engine->end(TerminalEnd::How::shell_ended, 37);
    f.turn();
    EXPECT_FALSE(client.left);
    EXPECT_EQ(f.ends, 0);
    client.pull(*f.session);
    f.turn();
    ASSERT_TRUE(client.left);
    EXPECT_EQ(client.left->why, SessionClient::Leave::Why::ended);
    EXPECT_EQ(client.left->exit_status, 37);
    EXPECT_EQ(client.left->message, "");
    EXPECT_EQ(f.ends, 1);
    EXPECT_FALSE(f.session->resumable());
    EXPECT_EQ(row_text(client.terminal, 0).substr(0, 3), "bye");
}

TEST(TerminalSession, ALostEngineIsTold) {
    Fixture f;
    FakeClient client(kSize);
    f.session->attach(client, kSize);
    f.engine->end(TerminalEnd::How::lost);
    client.pull(*f.session);
    f.turn();
    ASSERT_TRUE(client.left);
    EXPECT_EQ(client.left->message, "the session was lost: why");
    EXPECT_FALSE(client.left->exit_status);
    EXPECT_EQ(f.ends, 1);
}

TEST(TerminalSession, AClientThatGoesWhileItIsToldOfTheEnd) {
    Fixture f;
    FakeClient client(kSize);
    f.session->attach(client, kSize);
    f.engine->end(TerminalEnd::How::shell_ended, 0);
    EXPECT_EQ(f.ends, 0);
    f.session->detach(client);
    EXPECT_EQ(f.ends, 1);
    f.turn();
    EXPECT_EQ(f.ends, 1);
    EXPECT_FALSE(client.left);
}

TEST(TerminalSession, AnotherEngineTakesOverWithWhatWasTyped) {
    Loop loop;
    Fixture f(true);
    auto first = std::make_unique<FakeEngine>(true);
    FakeEngine* mosh = first.get();
    bool mosh_gone = false;
    mosh->gone = &mosh_gone;
    TerminalSession session(f.loop, {}, {"alice", "k"}, std::move(first), f);
    session.start(kSize, "");
    FakeClient client(kSize);
    session.attach(client, kSize);
    EXPECT_EQ(session.input(as_octets("typed early\r")), 12u);
    f.next = std::make_unique<FakeEngine>(false);
    FakeEngine* ssh = f.next.get();
    mosh->end(TerminalEnd::How::no_contact);
    f.turn();
    EXPECT_TRUE(mosh_gone);
    EXPECT_EQ(ssh->keys, "typed early\r");
    EXPECT_EQ(ssh->size, kSize);
    EXPECT_EQ(session.traits().name, "ssh");
    ssh->owner->on_terminal_contact();
    ssh->say("$ ");
    client.pull(session);
    EXPECT_EQ(row_text(client.terminal, 0).substr(0, 26), "sallyport: using plain SSH");
    EXPECT_EQ(row_text(client.terminal, 1).substr(0, 2), "$ ");
    EXPECT_EQ(f.ends, 0);
}

TEST(TerminalSession, WithoutAnotherEngineItIsOver) {
    Fixture f;
    auto engine = std::make_unique<FakeEngine>(true);
    FakeEngine* mosh = engine.get();
    TerminalSession session(f.loop, {}, {"alice", "k"}, std::move(engine), f);
    session.start(kSize, "");
    mosh->end(TerminalEnd::How::no_contact);
    EXPECT_EQ(f.ends, 1);
}

TEST(TerminalSession, KeysThatTheEngineCantTakeWaitAndThenTheClientDoes) {
    Fixture f;
    FakeClient client(kSize);
    f.session->attach(client, kSize);
    f.engine->room = 10;
    const std::string paste(100'000, 'x');
    const std::size_t taken = f.type(paste);
    EXPECT_LT(taken, paste.size());
    EXPECT_EQ(f.engine->keys.size(), 10u);
    EXPECT_EQ(f.type("yyyyyyyyyyyyyyyyyyyy"), 10u);
    EXPECT_EQ(f.type("z"), 0u);
    f.engine->room = SIZE_MAX;
    f.engine->owner->on_terminal_room();
    EXPECT_EQ(client.rooms, 1);
    EXPECT_EQ(f.engine->keys.size(), taken + 10);
}

TEST(TerminalSession, TheScrollbackIsReadAndLeftWithoutATrace) {
    for (const std::string_view before : {"", "\x1b[?1049h\x1b[3;4Hin an editor\x1b[?1002;1006h", "\x1b[2;5r\x1b[?6h\x1b[44mstyled"}) {
        Fixture f;
        FakeClient client(kSize);
        f.session->attach(client, kSize);
        f.say(lines(1, 100));
        f.say(before);
        f.type("\x1e[");
        client.pull(*f.session);
        const std::string status = row_text(client.terminal, 9);
        EXPECT_NE(status.find("lines 83-91 of 101"), std::string::npos) << status;
        EXPECT_EQ(row_text(client.terminal, 0).substr(0, 8), "line 82 ");
        f.type("\x1b[H");
        client.pull(*f.session);
        EXPECT_EQ(row_text(client.terminal, 1).substr(0, 7), "line 1 ");
        f.say("\r\nmeanwhile" + lines(200, 220));
        f.type("\x1b[5~\x1b[6~  Gkj");
        client.pull(*f.session);
        EXPECT_EQ(f.engine->keys, "");
        f.type("q");
        EXPECT_EQ(f.shows_wrong(client), "") << before;
        f.type("x");
        EXPECT_EQ(f.engine->keys, "x");
    }
}

TEST(TerminalSession, AStatusLineTellsOfTheLastContactAndGoesAgain) {
    Fixture f;
    FakeClient client(kSize);
    f.session->attach(client, kSize);
    f.say("\x1b[?1002h\x1b[1;34mfirst row" + lines(1, 5));
    f.engine->state.since_contact = 3s;
    f.pass(2s);
    EXPECT_EQ(f.shows_wrong(client), "");
    EXPECT_GT(f.engine->asked, 0) << "an idle link is asked before it is called silent";
    f.engine->state.since_contact = 12s;
    f.pass(2s);
    client.pull(*f.session);
    EXPECT_EQ(row_text(client.terminal, 0).substr(0, 32), "sallyport: last contact 12 s ago");
    f.say("\x1b[5;5Hback");
    EXPECT_EQ(f.shows_wrong(client), "");
    f.pass(2s);
    client.pull(*f.session);
    EXPECT_EQ(row_text(client.terminal, 0).substr(0, 9), "sallyport");
    f.engine->state.since_contact = 0s;
    f.pass(2s);
    EXPECT_EQ(f.shows_wrong(client), "");
}

TEST(TerminalSession, AnEngineThatShowsItsOutagesGetsNoSecondLine) {
    Fixture f(true);
    FakeClient client(kSize);
    f.session->attach(client, kSize);
    f.say("text");
    f.engine->state.since_contact = 60s;
    f.pass(2s);
    EXPECT_EQ(f.shows_wrong(client), "");
}

TEST(TerminalSession, HelpIsShownOverTheFirstRowForAWhile) {
    Fixture f;
    FakeClient client(kSize);
    f.session->attach(client, kSize);
    f.say("first row");
    f.type("\x1e?");
    client.pull(*f.session);
    EXPECT_EQ(row_text(client.terminal, 0).substr(0, 13), "After Ctrl-^:");
    f.pass(20s);
    EXPECT_EQ(f.shows_wrong(client), "");
}

TEST(TerminalSession, GapsAreFoundBetweenScreenStates) {
    Fixture f(true);
    FakeClient client(kSize);
    f.session->attach(client, kSize);
    for (int page = 0; page < 3; ++page) {
        std::string state = "\x1b[H";
        for (int i = 0; i < 9; ++i) state += "line " + std::to_string(page * 1'000 + i) + "\x1b[K\r\n";
        f.say(state + "$");
        f.pass(50ms);
        f.turn();
    }
    f.type("\x1e[\x1b[H");
    client.pull(*f.session);
    EXPECT_EQ(row_text(client.terminal, 0).substr(0, 7), "line 0 ");
    f.type(" ");
    client.pull(*f.session);
    EXPECT_NE(row_text(client.terminal, 1).find("lines may be missing"), std::string::npos);
}

TEST(TerminalSession, ResizingRedrawsWhatTheTerminalMadeOfIt) {
    Fixture f;
    FakeClient client(kSize);
    f.session->attach(client, kSize);
    f.say(lines(1, 30));
    client.pull(*f.session);
    const TerminalSize other{20, 15};
    client.terminal.resize(other);
    client.terminal.feed(as_octets("\x1b[Hwhatever reflowing does"));
    f.session->resize(other);
    f.reference.resize(other);
    EXPECT_EQ(f.engine->size, other);
    EXPECT_EQ(f.shows_wrong(client), "");
}

TEST(SessionRegistry, OffersAHoldersOwnWaitingSessionsOnly) {
    Fixture f;
    SessionRegistry registry(f.loop, {.sessions = 4, .of_user = 3, .detached_of_holder = 2});
    const auto add = [&](const std::string& user, const std::string& key) -> TerminalSession& {
        auto& session = registry.add(std::make_unique<TerminalSession>(f.loop, TerminalSession::Settings{}, SessionHolder{user, key},
                                                                       std::make_unique<FakeEngine>(false), f));
        session.start(kSize, "");
        return session;
    };
    TerminalSession& one = add("alice", "k1");
    f.pass(1min);
    TerminalSession& two = add("alice", "k1");
    add("alice", "k2");
    EXPECT_FALSE(registry.has_room("alice"));
    EXPECT_TRUE(registry.has_room("bob"));
    add("bob", "k1");
    EXPECT_FALSE(registry.has_room("carol"));
    EXPECT_EQ(registry.waiting({"alice", "k1"}), (std::vector<TerminalSession*>{&two, &one}));
    EXPECT_TRUE(registry.waiting({"bob", "k2"}).empty());
    FakeClient client(kSize);
    two.attach(client, kSize);
    EXPECT_EQ(registry.waiting({"alice", "k1"}), (std::vector<TerminalSession*>{&one}));
    EXPECT_FALSE(registry.still_waiting(&two, {"alice", "k1"}));
    EXPECT_FALSE(registry.still_waiting(&one, {"bob", "k1"}));
    EXPECT_TRUE(registry.still_waiting(&one, {"alice", "k1"}));
    registry.remove(one);
    EXPECT_FALSE(registry.still_waiting(&one, {"alice", "k1"}));
    EXPECT_EQ(registry.size(), 3u);
}

}  // namespace sallyport::gateway
