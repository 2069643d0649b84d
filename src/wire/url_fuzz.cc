// What configuration and command line hold: URLs, addresses, names, durations. Whatever is read reads the same when
// written again.
#include <cstdint>
#include <cstdlib>
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
    check(is_authority(in) == authority.has_value());
    if (authority) check(parse_authority(authority->text())->text() == authority->text());
    return 0;
}
