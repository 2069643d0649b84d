// Whatever is read can be written, and reads the same again.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "wire/relay_view.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace sallyport;
    const auto view = parse_relay_view({reinterpret_cast<const char*>(data), size});
    if (!view) return 0;
    const std::string text = format_relay_view(*view);
    if (text.size() > RelayView::kMaxOctets) std::abort();
    const auto again = parse_relay_view(text);
    if (!again || again->agent != view->agent || again->tunnel != view->tunnel || again->ticket != view->ticket) std::abort();
    if (again->routes.size() > view->routes.size()) std::abort();
    return 0;
}
