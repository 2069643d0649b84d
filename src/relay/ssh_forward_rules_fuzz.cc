// The address and port that a client asks to listen at, against an agent with routes of every kind: nothing but its own routes comes out.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "relay/ssh_forward_rules.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace sallyport;
    using namespace sallyport::relay;
    static const std::vector<OwnedRoute> owned{
        {.id = "1", .hostname = "home.example.org", .target = "homeassistant", .target_port = 8123, .url = "https://home.example.org/"},
        {.id = "2", .hostname = "home.example.org", .path_prefix = "/cam", .target = "cam:81", .target_port = 81, .url = "https://home.example.org/cam/"},
        {.id = "3", .hostname = "*.lab.example.org", .target = "lab", .url = "https://*.lab.example.org/"},
        {.id = "4", .listen = {"", 1883}, .target = "mqtt", .url = "port :1883"},
        {.id = "5", .listen = {"::1", 22}, .target = "nas:22", .target_port = 22, .url = "port [::1]:22"}};
    if (size < 2) return 0;
    const AskedForward asked{std::string(reinterpret_cast<const char*>(data) + 2, size - 2), static_cast<std::uint16_t>(data[0] << 8 | data[1])};
    for (const char c : shown(asked))
        if (c <= ' ' || c >= 0x7f) std::abort();
    const auto meant = routes_meant(owned, asked);
    if (!meant && meant.error().detail.empty()) std::abort();
    if (meant && (meant->empty() || meant->back() >= owned.size())) std::abort();
    const auto assigned = assign_routes(owned, {{"", 8123}, asked});
    for (std::size_t i = 0; i < owned.size(); ++i)
        if (assigned[i] == 1 && (!meant || std::ranges::find(*meant, i) == meant->end())) std::abort();
    return 0;
}
