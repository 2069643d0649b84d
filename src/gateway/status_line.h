// status_line.h: one line drawn over the first row of a user's terminal while there is something to say: "last contact 12 s ago".
// It is no part of the Screen; redraw_row(screen, 0) takes it away again. Pure.
#pragma once
#include <string>

#include "base/clock.h"
#include "gateway/screen.h"

namespace sallyport::gateway {

std::string last_contact_text(Duration since, int escape_key);
std::string draw_status_line(const Screen& screen, std::string_view text);

}  // namespace sallyport::gateway
