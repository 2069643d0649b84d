#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "wire/proxy_status.h"

// Whatever is read can be written, and reads the same again.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace sallyport;
    const auto status = parse_proxy_status({reinterpret_cast<const char*>(data), size});
    if (!status) return 0;
    const auto again = parse_proxy_status(format_proxy_status(*status));
    if (!again || again->error != status->error || again->details != status->details || again->proxy != status->proxy)
        std::abort();
    return 0;
}
