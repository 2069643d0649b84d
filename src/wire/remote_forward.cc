#include "wire/remote_forward.h"

#include <charconv>
#include <vector>

#include "wire/host_name.h"

namespace sallyport {
namespace {

std::unexpected<Error> refuse(std::string_view text, const std::string& why) {
    std::string shown(text.substr(0, 120));
    for (char& c : shown)
        if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = '?';
    return fail(Errc::invalid_argument, "\"" + shown + "\" is no forwarding like 127.0.0.1:1883:core-mosquitto:1883: " + why);
}

std::string bracketed(const std::string& host) { return host.contains(':') ? "[" + host + "]" : host; }

// Splits at colons that stand outside of brackets.
Result<std::vector<std::string_view>> parts_of(std::string_view text) {
    std::vector<std::string_view> parts;
    std::size_t begin = 0;
    bool inside = false;
    for (std::size_t at = 0; at <= text.size(); ++at) {
        if (at == text.size() || (text[at] == ':' && !inside)) {
            parts.push_back(text.substr(begin, at - begin));
            begin = at + 1;
        } else if (text[at] == '[') {
            inside = true;
        } else if (text[at] == ']') {
            inside = false;
        }
    }
    if (inside) return refuse(text, "a ']' is missing");
    return parts;
}

Result<std::uint16_t> listen_port(std::string_view text) {
    if (text == "0") return std::uint16_t{0};
    return parse_port(text);
}

}  // namespace

std::string RemoteForward::listen_text() const {
    return (bind.empty() ? "*" : bracketed(bind)) + ":" + std::to_string(port);
}

std::string RemoteForward::destination() const { return bracketed(host) + ":" + std::to_string(host_port); }

bool RemoteForward::binds_loopback() const {
    const auto address = parse_authority(bracketed(bind));
    return address && address->is_loopback();
}

Result<std::string> parse_bind_address(std::string_view text) {
    if (text.empty() || text == "*") return std::string();
    const bool bare_v6 = !text.starts_with('[') && text.contains(':');
    const auto address = parse_authority(bare_v6 ? "[" + std::string(text) + "]" : std::string(text));
    if (!address || address->port) return fail(Errc::invalid_argument, "\"" + std::string(text.substr(0, 80)) + "\" is neither an address, a name nor *");
    return address->host;
}

Result<RemoteForward> parse_remote_forward(std::string_view text) {
    auto parts = parts_of(text);
    if (!parts) return std::unexpected(parts.error());
    if (parts->size() < 3) return refuse(text, text.contains('/') ? "sockets are not forwarded" : "write bind:port:host:port");
    if (parts->size() > 4) return refuse(text, "too many colons; an IPv6 address stands in brackets");
    RemoteForward forward;
    forward.bind = "localhost";  // what ssh(1) sends
    if (parts->size() == 4) {
        auto bind = parse_bind_address(parts->front());
        if (!bind) return refuse(text, bind.error().detail);
        forward.bind = std::move(*bind);
        parts->erase(parts->begin());
    }
    const auto port = listen_port((*parts)[0]);
    if (!port) return refuse(text, "the port to listen on is malformed");
    forward.port = *port;
    const auto destination = parse_authority(std::string((*parts)[1]) + ":" + std::string((*parts)[2]));
    if (!destination || !destination->port) return refuse(text, "host:port at its end is malformed");
    forward.host = destination->host;
    forward.host_port = *destination->port;
    return forward;
}

std::string permit_listen_option(const RemoteForward& forward) {
    const std::string host = forward.bind.empty() ? "*" : bracketed(forward.bind);
    return "permitlisten=\"" + host + ":" + (forward.port == 0 ? "*" : std::to_string(forward.port)) + "\"";
}

}  // namespace sallyport
