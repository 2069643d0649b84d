// frame_gaps.h: finds out, for an engine that sends screen states, where lines passed between two of them that nobody saw. While a
// program writes faster than the states come, the next one has nothing in common with the one before: then that one's rows go to the
// scrollback, and behind them the gap is marked.
// What it goes by: the cursor was in the last row and is again, no row with text is where it was, and nothing was scrolled. A program
// that draws whole screens (an editor, a pager) keeps its status line or has its cursor elsewhere. Pure.
#pragma once
#include <optional>

#include "gateway/screen.h"
#include "gateway/scrollback.h"

namespace sallyport::gateway {

class FrameGaps {
public:
    // Before the first octets of a state are fed to the screen.
    void begin(const Screen& screen);
    // A row went to the scrollback by itself, so the states do have something in common.
    void note_scrolled() { scrolled_ = true; }
    bool under_way() const { return under_way_; }
    // The state is complete.
    void settle(const Screen& screen, Scrollback& scrollback);

private:
    std::optional<Screen> before_;  // what was shown; only while a state arrives
    bool at_bottom_ = false;
    bool scrolled_ = false;
    bool under_way_ = false;
};

}  // namespace sallyport::gateway
