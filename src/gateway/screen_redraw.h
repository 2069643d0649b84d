// screen_redraw.h: the octets that make a terminal of the same size show what a Screen holds, whatever it showed before: both screens,
// cursor, styles and modes, so that the session's further octets mean there what they mean in the Screen.
// Only between sequences (Screen::between_sequences). Pure.
#pragma once
#include <string>

#include "gateway/screen.h"

namespace sallyport::gateway {

std::string redraw(const Screen& screen);

// One row (from 0) anew, with cursor and style as they were; for what was drawn over it.
std::string redraw_row(const Screen& screen, int row);
// Something else in that row instead, no wider than the screen and of single columns.
std::string draw_over_row(const Screen& screen, int row, std::string_view text);

// What a terminal needs to be left in order when a session goes on without it: modes off, colours and shape default, the normal screen,
// the cursor below everything.
std::string leave_terminal(const Screen& screen);
// Only the modes, with the cursor where it is: behind a shell that has ended.
std::string reset_modes(const Screen& screen);

void append_utf8(std::string& out, char32_t character);
void append_style(std::string& out, const Style& style);  // SGR, from any style before

}  // namespace sallyport::gateway
