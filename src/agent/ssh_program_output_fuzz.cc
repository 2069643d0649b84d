// Any octets as what ssh says, and as what stands before a server's identification: bounded and printable afterwards.
#include <cstdint>
#include <cstdlib>

#include "agent/ssh_memory.h"
#include "agent/ssh_preflight.h"
#include "agent/ssh_program_output.h"
#include "base/octets.h"

using namespace sallyport;

namespace {

void check(std::string_view text) {
    if (text.size() > SshProgramOutput::kMaxKept + 100) std::abort();
    for (const char c : text)
        if (static_cast<unsigned char>(c) < 0x20) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text = as_text(as_octets(data, size));
    SshServerConfig server;
    server.forwards.push_back({{"127.0.0.1", 0, "a", 1}, false});
    server.forwards.push_back({{"", 80, "a", 1}, false});
    SshProgramOutput output(server, "line", {}, false);
    for (std::size_t begin = 0; begin < text.size();) {
        const std::size_t end = std::min(text.find('\n', begin), text.size());
        output.take(text.substr(begin, end - begin));
        begin = end + 1;
    }
    check(output.version());
    check(output.host_key());
    check(output.last_line());
    (void)output.failure(size > 0 ? data[0] : 0);
    check(read_ssh_banner(text).version);
    if (const auto memory = parse_ssh_memory(text)) {
        const auto again = parse_ssh_memory(format_ssh_memory(*memory));
        if (!again || *again != *memory) std::abort();
    }
    return 0;
}
