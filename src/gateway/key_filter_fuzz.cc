// Any keys, whole and cut in two: the same commands at the same places, and nothing that isn't part of a command is lost.
#include <cstdint>
#include <cstdlib>
#include <string>

#include "gateway/key_filter.h"

namespace {

std::string filtered(std::string_view keys, std::size_t cut) {
    using namespace sallyport;
    gateway::KeyFilter filter(0x1E);
    std::string out;
    for (std::string_view part : {keys.substr(0, cut), keys.substr(cut)}) {
        while (!part.empty()) {
            const auto step = filter.feed(as_octets(part), out);
            if (step.octets == 0 || step.octets > part.size()) std::abort();
            part.remove_prefix(step.octets);
            if (step.command != gateway::KeyFilter::Command::none) out += "<" + std::to_string(static_cast<int>(step.command)) + ">";
        }
    }
    return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view keys(reinterpret_cast<const char*>(data), size);
    const std::string whole = filtered(keys, 0);
    if (whole != filtered(keys, size ? data[0] % (size + 1) : 0)) std::abort();
    if (keys.find('\x1e') == keys.npos && whole != keys) std::abort();
    return 0;
}
