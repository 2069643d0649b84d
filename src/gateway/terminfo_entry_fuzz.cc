// Any file in the terminfo data base, any name of a terminal.
#include <cstdint>
#include <cstdlib>

#include "gateway/terminfo_entry.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace sallyport;
    (void)gateway::parse_terminfo(as_octets(data, size));
    const std::string term = gateway::mosh_client_term({reinterpret_cast<const char*>(data), size});
    if (term != "xterm-256color" && term != "screen-256color") std::abort();
    return 0;
}
