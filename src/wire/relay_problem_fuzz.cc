// Texts stay within their bound, whatever is read.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "wire/relay_problem.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto problem = sallyport::parse_relay_problem({reinterpret_cast<const char*>(data), size});
    if (problem && (problem->hop.size() > 300 || problem->title.size() > 300 || problem->detail.size() > 300)) std::abort();
    return 0;
}
