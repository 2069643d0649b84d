#include "gateway/screen.h"

#include <gtest/gtest.h>

#include <random>

#include "gateway/screen_redraw.h"
#include "gateway/vterm_judge.h"

namespace sallyport::gateway {
namespace {

using namespace test;

constexpr TerminalSize kSmall{20, 6};

// Sequences that libvterm 0.1.4 and xterm understand alike. After those that move the cursor differently (IL, DECSTBM), it is put.
class Generator {
public:
    explicit Generator(unsigned seed) : random_(seed) {}

    std::string next() {
        switch (below(30)) {
            case 0: return csi(below(10), below(26), 'H');
            case 1: return margins_ ? "" : csi(below(4), 'A');  // libvterm passes through the margins
            case 2: return margins_ ? "" : csi(below(4), 'B');
            case 3: return "\b" + csi(below(8), 'C');
            case 4: return csi(below(8), 'D');
            case 5: return "\b" + csi(below(3), 'J');
            case 6: return "\b" + csi(below(3), 'K');  // behind the last column, what edits the line ends that for xterm only
            case 7: return "\b" + csi(below(5), pick("LM")) + "\r";
            case 8: return "\b" + csi(below(8), pick("P@X"));
            case 9: return "\b" + csi(below(4), pick("ST"));
            case 10:
                margins_ = true;
                return "\x1b[" + std::to_string(1 + below(3)) + ";" + std::to_string(4 + below(3)) + "r\x1b[H";
            case 11:
                margins_ = false;
                return "\x1b[r\x1b[H";
            case 12: return "\r\n";
            case 13: return "\b\n";
            case 14: return "\b";
            case 15: return "\b\t";
            case 16: return "\b\x1bM";
            case 17: return "\x1b[?25h";  // hiding it is below: DECRC shows it again in libvterm, not in xterm
            case 18:
                autowrap_ = !autowrap_;
                return autowrap_ ? "\x1b[?7h" : "\r\x1b[?7l";
            case 19:
                insert_ = !insert_;
                return insert_ ? "\x1b[4h" : "\x1b[4l";
            case 20:  // libvterm has one saved cursor for both screens
                alternate_ = !alternate_;
                return alternate_ ? "\x1b[?1049h" : "\x1b[?1049l";
            case 21: return alternate_ ? "" : below(2) ? "\x1b""7" : "\x1b""8";
            case 22:
            case 23: return style();
            case 24: return insert_ || !autowrap_ ? "" : "\xe4\xb8\xad\xe6\x96\x87z\b";  // wide; libvterm inserts one cell for it, and stands on its left half
            case 25: return combining ? "e\xcc\x81" : "";
            case 26: return csi(1 + below(26), 'G') + csi(1 + below(8), 'd');
            default: {
                std::string text;
                for (unsigned i = 1 + below(12); i > 0; --i) text += static_cast<char>('a' + below(26));
                return text;
            }
        }
    }
    // Everything that we know, for redrawing.
    std::string anything() {
        switch (below(24)) {
            case 0: return "\x1b[?6h";
            case 1: return "\x1b[?6l";
            case 2: return below(2) ? "\x1b(0" : "\x1b(B";
            case 3: return below(2) ? "\x0e" : "\x0f";
            case 4: return "\x1b)0";
            case 5: return "\x1b[?1;1000;1006;2004h";
            case 6: return "\x1b[?1l\x1b[?1000;1006l";
            case 7: return "\x1b[?1003;1015;1004h";
            case 8: return csi(below(7), " q");
            case 9: return "\x1b]2;title " + std::to_string(below(9)) + "\a";
            case 10:
                margins_ = true;
                return "\x1b]0;both\x1b\\";
            case 11: return "\x1b[?69h\x1b[3;15s";
            case 12: return "\x1b[?69l";
            case 13: return below(2) ? "\x1b=" : "\x1b>";
            case 14: return below(2) ? "\x1bH" : "\x1b[g";
            case 15: return below(4) ? "\x1b[3g" : "\x1b[!p";
            case 16: return below(3) ? "\x1b[20h" : "\x1b[20l";
            case 17: return "\x1b[>4;2m\x1b[>1u";
            case 18: return below(8) ? "\x1b[?5h" : "\x1b""c";
            case 19: return "r" + csi(below(12), 'b');
            case 20: return "\x1b[?25l";
            default: return next();
        }
    }
    bool combining = true;
    unsigned below(unsigned n) { return static_cast<unsigned>(random_() % n); }

private:
    std::string csi(unsigned a, char final) { return "\x1b[" + std::to_string(a) + final; }
    std::string csi(unsigned a, const char* final) { return "\x1b[" + std::to_string(a) + final; }
    std::string csi(unsigned a, unsigned b, char final) { return "\x1b[" + std::to_string(a) + ";" + std::to_string(b) + final; }
    char pick(std::string_view from) { return from[below(static_cast<unsigned>(from.size()))]; }
    std::string style() {
        static const char* kStyles[] = {"0",  "1",  "3",  "4",  "5",  "7",  "9",         "22",        "23",            "24",           "27",
                                        "31", "42", "97", "104", "39", "49", "38;5;200", "48;5;17", "38;2;1;2;3", "48;2;200;100;50", "1;4;33;44"};
        return std::string("\x1b[") + kStyles[below(std::size(kStyles))] + "m";
    }
    std::mt19937 random_;
    bool alternate_ = false;
    bool insert_ = false;
    bool autowrap_ = true;
    bool margins_ = false;
};

std::string visible(std::string_view text) {
    std::string out;
    for (const char c : text) out += c == '\x1b' ? "\\e" : c == '\n' ? "\\n" : c == '\r' ? "\\r" : c == '\b' ? "\\b" : c == '\t' ? "\\t" : std::string(1, c);
    return out;
}

std::string text_of_row(const Screen& screen, int row) {
    std::string out;
    for (int c = 0; c < screen.size().columns; ++c) {
        const Cell cell = screen.cell(row, c);
        if (cell.width == 0) continue;
        if (cell.glyph == 0) out += ' ';
        else
            for (const char32_t character : screen.text_of(cell))
                if (character) append_utf8(out, character);
    }
    while (out.ends_with(' ')) out.pop_back();
    return out;
}

Screen showing(std::string_view text, TerminalSize size = kSmall) {
    Screen screen(size);
    screen.feed(as_octets(text));
    return screen;
}

}  // namespace

TEST(Screen, ShowsWhatLibvtermShows) {
    for (unsigned seed = 0; seed < 1'500; ++seed) {
        Generator generator(seed);
        Screen screen(kSmall);
        VtermJudge judge(kSmall);
        std::string all = "\x1b""7";  // without it, libvterm's DECRC hides the cursor
        screen.feed(as_octets(all));
        judge.feed(all);
        for (int step = 0; step < 120; ++step) {
            const std::string piece = generator.next();
            all += piece;
            screen.feed(as_octets(piece));
            judge.feed(piece);
            const std::string difference = judge.difference(screen);
            ASSERT_EQ(difference, "") << "seed " << seed << " step " << step << ": " << visible(all);
        }
    }
}

TEST(ScreenRedraw, MakesTheSameScreenThatGoesOnTheSame) {
    for (unsigned seed = 0; seed < 3'000; ++seed) {
        Generator generator(seed);
        Screen screen(kSmall);
        std::string all;
        for (unsigned steps = generator.below(150); steps > 0; --steps) {
            const std::string piece = generator.anything();
            all += piece;
            screen.feed(as_octets(piece));
        }
        Screen again = showing("something else was here \x1b[7m\x1b[?1049hbefore");
        again.feed(as_octets(redraw(screen)));
        ASSERT_EQ(difference(screen, again), "") << "seed " << seed << ": " << visible(all) << "\nredraw: " << visible(redraw(screen));
        for (int step = 0; step < 30; ++step) {
            const std::string piece = generator.anything();
            all += piece;
            screen.feed(as_octets(piece));
            again.feed(as_octets(piece));
            ASSERT_EQ(difference(screen, again), "") << "seed " << seed << ", later: " << visible(all);
        }
    }
}

TEST(ScreenRedraw, MakesLibvtermShowTheSame) {
    for (unsigned seed = 0; seed < 1'000; ++seed) {
        Generator generator(seed);
        generator.combining = false;  // behind ESC ( B, libvterm loses track of it in the last column
        Screen screen(kSmall);
        for (unsigned steps = generator.below(150); steps > 0; --steps) screen.feed(as_octets(generator.next()));
        VtermJudge judge(kSmall);
        judge.feed(redraw(screen));
        ASSERT_EQ(judge.difference(screen), "") << "seed " << seed << visible(redraw(screen));
    }
}

TEST(ScreenRedraw, OneRowLeavesEverythingElse) {
    for (unsigned seed = 0; seed < 500; ++seed) {
        Generator generator(seed);
        Screen screen(kSmall), other(kSmall);
        for (unsigned steps = generator.below(100); steps > 0; --steps) {
            const std::string piece = generator.anything();
            screen.feed(as_octets(piece));
            other.feed(as_octets(piece));
        }
        if (screen.modes().left_right_margins) continue;  // ED and EL there: whole rows, as here; the bar is drawn without them
        const Screen::Cursor cursor = other.cursor();
        other.feed(as_octets("\x1b[?6l\x1b[H\x1b[44mBAR OVER IT\x1b[m"));
        (void)cursor;
        other.feed(as_octets(redraw_row(screen, 0)));
        ASSERT_EQ(difference(screen, other), "") << "seed " << seed;
    }
}

TEST(Screen, AWideCharacterCutThroughIsBlank) {
    EXPECT_EQ(text_of_row(showing("\xe4\xb8\xad\xe6\x96\x87\x1b[2Gx"), 0), " x\xe6\x96\x87");
    EXPECT_EQ(text_of_row(showing("\xe4\xb8\xad\xe6\x96\x87\x1b[3Gx"), 0), "\xe4\xb8\xadx");
    EXPECT_EQ(text_of_row(showing("\xe4\xb8\xad\xe6\x96\x87\x1b[2G\x1b[2X"), 0), "");
}

TEST(Screen, CombiningMarksAreBounded) {
    std::string flood = "a";
    for (int i = 0; i < 100'000; ++i) flood += "\xcc\x81";
    const Screen screen = showing(flood);
    EXPECT_LT(screen.memory(), 20'000u);
    std::string many;
    for (int i = 0; i < 20'000; ++i) many += "e\xcc\x81";
    EXPECT_LT(showing(many).memory(), 100'000u);
}

TEST(Screen, EndlessStringsAndParametersAreBounded) {
    Screen screen(kSmall);
    const std::string flood(1 << 20, 'x');
    screen.feed(as_octets("\x1b]2;" + flood + "\a"));
    EXPECT_EQ(screen.title(), "");
    screen.feed(as_octets("\x1bP" + flood + "\x1b\\\x1b_" + flood + "\x1b\\"));
    std::string parameters = "\x1b[";
    for (int i = 0; i < 100'000; ++i) parameters += "1;";
    screen.feed(as_octets(parameters + "m"));
    screen.feed(as_octets("\x1b[99999999999999999999B\x1b[65535bok"));
    EXPECT_LT(screen.memory(), 20'000u);
    EXPECT_TRUE(screen.between_sequences());
}

TEST(Screen, KnowsWhenASequenceIsUnderWay) {
    for (const std::string_view part : {"\x1b", "\x1b[", "\x1b[1;2", "\x1b]0;x", "\x1b]0;x\x1b", "\xe4\xb8", "\x1bP1", "\x1b("}) {
        EXPECT_FALSE(showing(part).between_sequences()) << visible(part);
    }
    for (const std::string_view whole : {"", "x", "\x1b[m", "\x1b]0;x\a", "\x1b]0;x\x1b\\", "\xe4\xb8\xad", "\x1bPq\x1b\\", "\x1b(B", "\x1b[1\x18"}) {
        EXPECT_TRUE(showing(whole).between_sequences()) << visible(whole);
    }
}

TEST(Screen, ResizingKeepsTheCursorsLineAndHandsOnWhatFallsOff) {
    struct Lines : Screen::Owner {
        void on_row_scrolled_off(const Screen&, const Row& row) override { lines.push_back(row.cells.empty() ? U' ' : row.cells[0].glyph); }
        void on_scrollback_cleared() override {}
        std::vector<char32_t> lines;
    } lines;
    Screen screen(kSmall, &lines);
    screen.feed(as_octets("1\r\n2\r\n3\r\n4\r\n5\r\n6"));
    screen.resize({20, 4});
    EXPECT_EQ(lines.lines, (std::vector<char32_t>{U'1', U'2'}));
    EXPECT_EQ(text_of_row(screen, 3), "6");
    EXPECT_EQ(screen.cursor().row, 3);
    screen.resize({10, 8});
    EXPECT_EQ(text_of_row(screen, 3), "6");
    screen.feed(as_octets("\x1b[?1049h"));
    screen.resize({5, 3});
    screen.resize({200, 100});
    screen.feed(as_octets("\x1b[?1049l\x1b[Hx"));
    EXPECT_EQ(text_of_row(screen, 0)[0], 'x');
}

TEST(Screen, RandomResizesDoNoHarm) {
    for (unsigned seed = 0; seed < 500; ++seed) {
        Generator generator(seed);
        Screen screen(kSmall);
        for (int step = 0; step < 100; ++step) {
            screen.feed(as_octets(generator.anything()));
            if (generator.below(10) == 0) screen.resize(clamp_terminal_size(generator.below(40), generator.below(12)));
        }
        Screen again(screen.size());
        again.feed(as_octets(redraw(screen)));
        ASSERT_EQ(difference(screen, again), "") << "seed " << seed;
    }
}

}  // namespace sallyport::gateway
