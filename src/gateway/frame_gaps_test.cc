#include "gateway/frame_gaps.h"

#include <gtest/gtest.h>

namespace sallyport::gateway {
namespace {

// A screen that is shown states, as mosh-client does it.
struct Shown : Screen::Owner {
    void on_row_scrolled_off(const Screen& of, const Row& row) override {
        gaps.note_scrolled();
        scrollback.push(of, row);
    }
    void on_scrollback_cleared() override {}
    void state(std::string_view octets) {
        gaps.begin(screen);
        screen.feed(as_octets(octets));
        gaps.settle(screen, scrollback);
    }
    std::string kept() const {
        std::string out;
        for (auto i = scrollback.begin(); i < scrollback.end(); ++i) out += (scrollback.is_gap(i) ? "~" : scrollback.text(i)) + "|";
        return out;
    }
    Scrollback scrollback{{}};
    FrameGaps gaps;
    Screen screen{{20, 4}, this};
};

}  // namespace

TEST(FrameGaps, AScreenfulThatHasNothingInCommonLeavesAGap) {
    Shown shown;
    shown.state("\x1b[H1\x1b[K\r\n2\x1b[K\r\n3\x1b[K\r\n$");
    EXPECT_EQ(shown.kept(), "");
    shown.state("\x1b[H501\x1b[K\r\n502\x1b[K\r\n503\x1b[K\r\n$");
    EXPECT_EQ(shown.kept(), "1|2|3|$|~|");
    shown.state("\x1b[H901\x1b[K\r\n902\x1b[K\r\n903\x1b[K\r\n$");
    EXPECT_EQ(shown.kept(), "1|2|3|$|~|501|502|503|$|~|");
}

TEST(FrameGaps, WhatIsScrolledLeavesNone) {
    Shown shown;
    shown.state("\x1b[H1\r\n2\r\n3\r\n4");
    shown.state("\r\n\n5\r6");
    EXPECT_EQ(shown.kept(), "1|2|");
}

TEST(FrameGaps, AnEditorsPageLeavesNone) {
    Shown shown;
    shown.state("\x1b[Ha\r\nb\r\nc\r\nstatus\x1b[H");
    shown.state("\x1b[Hx\r\ny\r\nz\r\nstatus\x1b[H");  // the cursor is in the text
    shown.state("\x1b[Hp\r\nb\r\nr\r\n:");
    shown.state("\x1b[Hk\r\nb\r\nm\r\n:");              // a row stays
    EXPECT_EQ(shown.kept(), "");
}

TEST(FrameGaps, AClearedScreenLeavesNone) {
    Shown shown;
    shown.state("\x1b[H1\r\n2\r\n3\r\n4");
    shown.state("\x1b[H\x1b[2J$");
    EXPECT_EQ(shown.kept(), "");
}

}  // namespace sallyport::gateway
