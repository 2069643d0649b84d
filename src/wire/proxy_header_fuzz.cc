// What is read is bounded, doesn't depend on what follows, and survives being written again.
#include <cstdint>
#include <cstdlib>

#include "wire/proxy_header.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace sallyport;
    const Octets in = as_octets(data, size);
    const auto header = parse_proxy_header(in);
    if (!header) {
        if (header.error().code == Errc::need_more && size >= kMaxProxyHeaderV2) std::abort();
        return 0;
    }
    if (header->size > size) std::abort();
    const auto alone = parse_proxy_header(in.first(header->size));
    if (!alone || *alone != *header) std::abort();
    if (!header->connection) return 0;
    const std::string again = format_proxy_header(*header->connection);
    const auto reread = parse_proxy_header(as_octets(again));
    if (!reread || reread->connection != header->connection || reread->size != again.size()) std::abort();
    return 0;
}
