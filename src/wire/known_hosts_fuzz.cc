// known_hosts: a file from anybody; the line written for a host is believed when read again.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "wire/known_hosts.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace sallyport;
    const std::string_view in(reinterpret_cast<const char*>(data), size);
    const auto file = KnownHosts::parse(in);
    if (!file) return 0;
    for (const std::string_view host : {"home.example", "192.0.2.1", "2001:db8::1"}) {
        for (const SshPublicKey& key : file->keys_of(host, 2222)) {
            const auto verdict = file->judge(host, 2222, key);
            if (verdict != HostKeyVerdict::known && verdict != HostKeyVerdict::revoked) std::abort();
            const auto written = KnownHosts::parse(known_hosts_line(host, 2222, key));
            if (!written || written->judge(host, 2222, key) != HostKeyVerdict::known) std::abort();
        }
    }
    return 0;
}
