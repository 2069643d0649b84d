#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "wire/forwarded.h"

// Whatever is read can be written, and reads the same again.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace sallyport;
    const auto element = parse_forwarded({reinterpret_cast<const char*>(data), size});
    if (!element) return 0;
    if (const auto again = parse_forwarded(format_forwarded(*element)); !again || *again != *element) std::abort();
    return 0;
}
