#include "gateway/status_line.h"

#include <fmt/format.h>

#include "gateway/key_filter.h"
#include "gateway/screen_redraw.h"

namespace sallyport::gateway {

std::string last_contact_text(Duration since, int escape_key) {
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(since).count();
    const std::string ago = seconds < 60      ? fmt::format("{} s", seconds)
                            : seconds < 3'600 ? fmt::format("{} min {} s", seconds / 60, seconds % 60)
                                              : fmt::format("{} h {} min", seconds / 3'600, seconds / 60 % 60);
    const std::string keys = escape_key < 0 ? "" : fmt::format(" [{0} . ends, {0} d detaches]", key_name(escape_key));
    return fmt::format("sallyport: last contact {} ago{}", ago, keys);
}

std::string draw_status_line(const Screen& screen, std::string_view text) {
    const auto columns = static_cast<std::size_t>(screen.size().columns);
    return draw_over_row(screen, 0, fmt::format("\x1b[0;1;37;44m{:<{}}\x1b[m", text.substr(0, columns), columns));
}

}  // namespace sallyport::gateway
