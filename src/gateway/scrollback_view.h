// scrollback_view.h: lets a user read the scrollback on his own terminal, in the manner of less: what to draw, and what his keys do.
// Below the kept lines comes what the screen shows now. Pure; whoever opens it redraws the session's screen when it is left.
#pragma once
#include <cstdint>
#include <string>

#include "base/octets.h"
#include "gateway/screen.h"
#include "gateway/scrollback.h"

namespace sallyport::gateway {

class ScrollbackView {
public:
    // Opens one page above the screen. All three outlive it.
    ScrollbackView(const Scrollback& scrollback, const Screen& screen, int escape_key);

    std::string draw();  // the whole terminal anew
    enum class After { stay, leave };
    After keys(Octets octets);  // then draw(), or leave: what else was typed is gone

private:
    enum class Key : std::uint8_t { none, up, down, page_up, page_down, half_up, half_down, home, end, leave };
    Key take(std::uint8_t octet);
    void move(Key key);
    std::uint64_t lines() const { return scrollback_.end() + static_cast<std::uint64_t>(screen_rows()); }
    int screen_rows() const;
    std::uint64_t page() const { return static_cast<std::uint64_t>(screen_.size().rows - 1); }
    std::uint64_t last_top() const;
    void clamp();

    const Scrollback& scrollback_;
    const Screen& screen_;
    const int escape_key_;
    std::uint64_t top_ = 0;   // number of the first line that is shown
    std::string sequence_;    // of a key under way; at most 16 octets
};

}  // namespace sallyport::gateway
