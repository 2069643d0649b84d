// authorized_keys: files and lines from anybody; what was read answers questions.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "wire/authorized_keys.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace sallyport;
    const std::string_view in(reinterpret_cast<const char*>(data), size);
    const auto file = parse_authorized_keys(in);
    if (!file) return 0;
    static const IpAddress address = *parse_ip_address("192.0.2.1");
    for (const AuthorizedKey& entry : file->keys) {
        if (entry.options.permit_listen.size() > kMaxPermits || entry.options.permit_open.size() > kMaxPermits) std::abort();
        if (entry.options.may_listen("localhost", 80) && !entry.options.port_forwarding) std::abort();
        (void)entry.options.may_open("localhost", 80);
        (void)entry.options.lets_in_from(address);
        if (const AuthorizedKey* found = file->find(entry.key); found != nullptr && found->options.cert_authority) std::abort();
    }
    return 0;
}
