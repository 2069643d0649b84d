#include "wire/forward_line.h"

#include "wire/host_name.h"

namespace sallyport {
namespace {

std::unexpected<Error> refuse(std::string_view text, const std::string& why) {
    return fail(Errc::invalid_argument, "\"" + std::string(text.substr(0, 120)) + "\" is no forwarding like 127.0.0.1:1883:core-mosquitto:1883: " + why);
}

// Where the host of what stands last begins: behind a colon, an IPv6 address in brackets.
std::size_t last_host(std::string_view text) {
    if (text.ends_with(']')) {
        const std::size_t bracket = text.rfind('[');
        return bracket == std::string_view::npos ? 0 : bracket;
    }
    const std::size_t colon = text.rfind(':');
    return colon == std::string_view::npos ? 0 : colon + 1;
}

}  // namespace

std::string ForwardLine::destination() const {
    return (host.contains(':') ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

Result<ForwardLine> parse_forward_line(std::string_view text) {
    const std::size_t last_colon = text.rfind(':');
    if (last_colon == std::string_view::npos) return refuse(text, "colons are missing");
    const std::size_t host_at = last_host(text.substr(0, last_colon));
    if (host_at < 2 || text[host_at - 1] != ':') return refuse(text, "write bind:port:host:port");
    const auto destination = parse_authority(text.substr(host_at));
    if (!destination || !destination->port || *destination->port == 0) return refuse(text, "host:port at its end is malformed");

    std::string listen(text.substr(0, host_at - 1));
    if (!listen.contains(':')) listen.insert(0, "127.0.0.1:");
    const auto address = parse_listen_address(listen);
    if (!address) return refuse(text, address.error().detail);
    return ForwardLine{*address, destination->host, *destination->port};
}

}  // namespace sallyport
