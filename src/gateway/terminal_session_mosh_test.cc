// The whole terminal side with real programs: vim and tmux by mosh, their screens cell by cell those of the same program in a plain pty.
#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>

#include "gateway/mosh_test_support.h"
#include "gateway/pty_process.h"
#include "gateway/screen_redraw.h"
#include "gateway/terminal_session.h"
#include "gateway/vterm_judge.h"

namespace sallyport::gateway {
namespace {

using namespace test;
using namespace std::chrono_literals;

constexpr TerminalSize kSize{80, 24};

// A program in a pty of its own, and what it shows there.
struct PlainTerminal final : PtyProcess::Owner {
    PlainTerminal(Loop& loop, ProcessReaper& reaper, const std::string& command) : screen(kSize) {
        PtyProgram program{.path = "/bin/sh", .arguments = {"-c", "stty sane; cd /tmp; exec " + command}, .environment = {"TERM=xterm-256color", "LANG=C.UTF-8", "COLORTERM=truecolor", "PATH=/usr/bin:/bin", "HOME=/tmp", "NCURSES_NO_UTF8_ACS=1", "SHELL=/bin/sh"}, .secrets = {}};
        auto spawned = PtyProcess::spawn(loop, reaper, program, kSize, *this);
        if (!spawned) std::abort();
        process = std::move(*spawned);
    }
    void on_pty_octets(Octets octets) override { screen.feed(octets); }
    void on_pty_room() override {}
    void on_pty_exit(const PtyProcess::Exit&) override { over = true; }
    std::unique_ptr<PtyProcess> process;
    Screen screen;
    bool over = false;
};

struct MoshSession final : TerminalSession::Owner {
    MoshSession(Loop& loop, ProcessReaper& reaper, const std::string& command)
        : remote("exec " + command), session(loop, {}, {"alice", "k"}, make_mosh_engine(loop, reaper, settings(), remote.start()), *this) {
        session.start(kSize, "");
    }
    static MoshSettings settings() {
        MoshSettings settings;
        settings.prediction = MoshPrediction::never;
        settings.contact_timeout = 60s;
        return settings;
    }
    Replacement on_session_no_contact(TerminalSession&, const TerminalEnd&) override { return {}; }
    void on_session_end(TerminalSession&, const TerminalEnd& how) override { end = how; }
    RunningMoshServer remote;
    TerminalSession session;
    std::optional<TerminalEnd> end;
};

struct Client final : SessionClient {
    Client(TerminalSession& s, TerminalSize size) : session(s), terminal(size), judge(size) { session.attach(*this, size); }
    void on_session_octets_ready() override {}
    void on_session_room() override {}
    void on_session_left(const Leave& how) override { left = how; }
    void pull() {
        std::byte room[4096];
        while (const std::size_t n = session.pull(room)) {
            terminal.feed(Octets(room, n));
            judge.feed(as_text(Octets(room, n)));
        }
    }
    TerminalSession& session;
    Screen terminal;
    VtermJudge judge;
    std::optional<Leave> left;
};

std::string first_difference(const Screen& a, const Screen& b) {
    for (int row = 0; row < a.size().rows; ++row)
        for (int column = 0; column < a.size().columns; ++column)
            if (VtermJudge::cell(a, row, column) != VtermJudge::cell(b, row, column))
                return "row " + std::to_string(row) + " column " + std::to_string(column) + ": \"" + VtermJudge::cell(a, row, column) + "\" and \"" +
                       VtermJudge::cell(b, row, column) + '"';
    if (a.cursor().row != b.cursor().row || a.cursor().column != b.cursor().column) return "cursor";
    return {};
}

struct Pair {
    explicit Pair(const std::string& command, const std::string& other_command)
        : plain(loop, reaper, command), mosh(loop, reaper, other_command), client(std::make_unique<Client>(mosh.session, kSize)) {}
    void type(std::string_view keys) {
        // Each key when everything before it has been shown, so that both programs read the same.
        EXPECT_EQ(mosh.session.input(as_octets(keys)), keys.size());
        EXPECT_EQ(plain.process->write(as_octets(keys)), keys.size());
    }
    bool shows(std::string_view text) {
        client->pull();
        std::string all;
        for (const Row& row : plain.screen.rows())
            for (const Cell& cell : row.cells) append_utf8(all, cell.glyph && !(cell.glyph & Cell::kCluster) ? cell.glyph : U' ');
        return all.find(text) != std::string::npos;
    }
    // Until the plain one shows `text` and both are the same, in our terminal and in libvterm's.
    void expect_same(std::string_view text) {
        turn_until(loop, [&] { return shows(text) && first_difference(plain.screen, client->terminal).empty(); });
        EXPECT_TRUE(shows(text)) << text;
        EXPECT_EQ(first_difference(plain.screen, client->terminal), "") << "at \"" << text << '"';
        EXPECT_EQ(client->judge.difference(client->terminal), "");
    }
    void resume(TerminalSize size) {
        mosh.session.detach(*client);
        plain.screen.resize(size);
        plain.process->resize(size);
        client = std::make_unique<Client>(mosh.session, size);
    }
    Loop loop;
    ProcessReaper reaper{loop};
    PlainTerminal plain;
    MoshSession mosh;
    std::unique_ptr<Client> client;
};

bool installed(const char* path) { return ::access(path, X_OK) == 0; }

}  // namespace

TEST(TerminalSessionByMosh, VimShowsTheSameAsInAPlainTerminal) {
    if (!installed("/usr/bin/vim.basic") && !installed("/usr/bin/vim.tiny")) GTEST_SKIP() << "no vim here";
    const std::string file = ::testing::TempDir() + "vim-text." + std::to_string(::getpid());
    {
        std::ofstream text(file);
        for (int i = 1; i <= 300; ++i) text << "line " << i << " with \xe4\xb8\xad\xe6\x96\x87, e\xcc\x81 and some words to wrap around " << std::string(static_cast<std::size_t>(i % 60), 'x') << "\n";
    }
    const std::string command = std::string(installed("/usr/bin/vim.basic") ? "vim.basic" : "vim.tiny") + " -u NONE -N -i NONE -n '+set number ruler' " + file;
    Pair pair(command, command);
    pair.expect_same("line 1 with");
    pair.type("100G");
    pair.expect_same("line 100 with");
    pair.type("osome new text\x1b");
    pair.expect_same("some new text");
    pair.type(":vsplit\r");
    pair.expect_same("[+]");
    pair.type("200Gzt:set hlsearch\r/words\r");
    pair.expect_same("line 201 with");
    pair.resume({100, 30});
    pair.expect_same("line 201 with");
    pair.type(":qa!\r");
    turn_until(pair.loop, [&] {
        pair.client->pull();
        return pair.client->left.has_value();
    });
    EXPECT_EQ(pair.client->left->exit_status, 0);
    ::remove(file.c_str());
}

TEST(TerminalSessionByMosh, TmuxShowsTheSameAsInAPlainTerminal) {
    if (!installed("/usr/bin/tmux")) GTEST_SKIP() << "no tmux here";
    const std::string base = ::testing::TempDir() + "tmux." + std::to_string(::getpid());
    {
        std::ofstream configuration(base + ".conf");
        configuration << "set -g status-right ''\nset -g status-left 'STATUS '\nset -g automatic-rename off\nset -g default-command 'PS1=\"\\$ \" exec /bin/sh'\n"
                         "set -sg escape-time 0\nset -g default-terminal screen-256color\nset -ga terminal-overrides ',xterm-256color:Tc'\n";
    }
    const auto command = [&](const char* which) { return "tmux -S " + base + which + " -f " + base + ".conf new-session -n w"; };
    Pair pair(command(".a"), command(".b"));
    pair.expect_same("STATUS");
    pair.type("printf '\\033[38;2;10;200;30mGREEN \\033[1;4;48;5;17mBOLD\\033[m\\n'\r");
    pair.expect_same("GREEN BOLD");
    pair.type("\x02%");
    pair.expect_same("\xe2\x94\x82");
    pair.type("seq 1 40 | sed s/^/number-/\r");
    pair.expect_same("number-40");
    pair.resume({90, 30});
    pair.expect_same("number-40");
    for (const char* which : {".a", ".b"}) EXPECT_EQ(std::system(("tmux -S " + base + which + " kill-server").c_str()), 0);
    turn_until(pair.loop, [&] {
        pair.client->pull();
        return pair.client->left.has_value();
    });
    ::remove((base + ".conf").c_str());
}

TEST(TerminalSessionByMosh, AFloodLeavesTheLastLinesAndMarkedGaps) {
    Loop loop;
    ProcessReaper reaper(loop);
    MoshSession mosh(loop, reaper, "sh -c 'seq 1 200000; echo end of it; read -r line'");
    Client client(mosh.session, kSize);
    const auto text_of = [&](int row) {
        std::string out;
        for (int c = 0; c < 20; ++c) out += client.terminal.cell(row, c).glyph ? static_cast<char>(client.terminal.cell(row, c).glyph) : ' ';
        return out;
    };
    turn_until(loop, [&] {
        client.pull();
        return text_of(22).starts_with("end of it");
    });
    EXPECT_EQ(text_of(21).substr(0, 6), "200000");
    EXPECT_EQ(mosh.session.input(as_octets("\r")), 1u);
    turn_until(loop, [&] {
        client.pull();
        return client.left.has_value();
    });
}

}  // namespace sallyport::gateway
