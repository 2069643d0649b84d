// Any output, whole and cut in two: the same text and status; without an exit title and a farewell, nothing is taken away.
#include <cstdint>
#include <cstdlib>
#include <string>

#include "gateway/mosh_output_filter.h"

namespace {

std::pair<std::string, std::optional<int>> filtered(std::string_view text, std::size_t cut) {
    using namespace sallyport;
    gateway::MoshOutputFilter filter("n");
    std::string out(as_text(filter.feed(as_octets(text.substr(0, cut)))));
    out += as_text(filter.feed(as_octets(text.substr(cut))));
    out += as_text(filter.finish());
    return {out, filter.exit_status()};
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    const auto whole = filtered(text, 0);
    if (whole != filtered(text, size ? data[0] % (size + 1) : 0)) std::abort();
    if (!whole.second && text.find("[mosh is exiting.]") == text.npos && whole.first != text) std::abort();
    if (whole.second && (*whole.second < 0 || *whole.second > 255)) std::abort();
    return 0;
}
