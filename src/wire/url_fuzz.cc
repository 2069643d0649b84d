// What configuration and command line hold: URLs, addresses, names, durations. Whatever is read reads the same when
// written again.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "wire/duration.h"
#include "wire/host_name.h"
#include "wire/listen_address.h"
#include "wire/url.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace sallyport;
    const std::string_view in(reinterpret_cast<const char*>(data), size);
    const auto check = [](bool holds) {
        if (!holds) std::abort();
    };
    if (const auto url = parse_target_url(in)) check(parse_target_url(url->text()) == *url);
    if (const auto url = parse_relay_url(in)) check(parse_relay_url(url->text()) == *url);
    if (const auto url = parse_public_url(in)) check(parse_public_url(url->text()) == *url);
    if (const auto address = parse_listen_address(in)) check(parse_listen_address(address->text()) == *address);
    if (const auto pattern = parse_host_pattern(in)) check(parse_host_pattern(pattern->text()) == *pattern);
    if (const auto duration = parse_duration(in)) check(parse_duration(format_duration(*duration)) == *duration);
    const auto authority = parse_authority(in);
    if (authority) check(parse_authority(authority->text())->text() == authority->text());
    // What a visitor's request may name reads the same without its root dot.
    const auto visited = parse_authority(in, RootDot::dropped);
    check(is_authority(in) == visited.has_value());
    if (visited) {
        std::string without(in);
        drop_root_dot(without);
        check(parse_authority(without)->text() == visited->text());
    }
    return 0;
}
