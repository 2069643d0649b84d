#include "wire/listen_address.h"

#include <charconv>

#include "wire/host_name.h"

namespace sallyport {
namespace {

std::unexpected<Error> refuse(std::string_view text, std::string_view why) {
    std::string detail = "\"";
    detail += text.substr(0, 80);
    detail += "\" is no listen address: ";
    detail += why;
    return fail(Errc::invalid_argument, std::move(detail));
}

}  // namespace

Result<ListenAddress> parse_listen_address(std::string_view text) {
    const std::size_t colon = text.rfind(':');
    if (colon == std::string_view::npos) return refuse(text, "write :8443 or 127.0.0.1:8443");
    ListenAddress out;
    const std::string_view port = text.substr(colon + 1);
    const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), out.port);
    if (port.empty() || port.size() > 5 || error != std::errc{} || end != port.data() + port.size())
        return refuse(text, "the port must be 0 to 65535");
    const std::string_view host = text.substr(0, colon);
    if (host.empty() || host == "*") return out;
    if (host == "localhost") {
        out.host = "127.0.0.1";
        return out;
    }
    const Result<Authority> parsed = parse_authority(host);
    if (!parsed || parsed->port)
        return refuse(text, host.find(':') == std::string_view::npos ? "not an IP address"
                                                                     : "IPv6 addresses stand in brackets: [::1]:8443");
    if (parsed->kind == HostKind::name) return refuse(text, "an IP address of this machine is needed, not a name");
    out.host = parsed->host;
    return out;
}

std::string ListenAddress::text() const {
    return (host.find(':') == std::string::npos ? host : "[" + host + "]") + ":" + std::to_string(port);
}

bool ListenAddress::is_loopback() const {
    return host.starts_with("127.") || host == "::1" || host.starts_with("::ffff:127.");
}

}  // namespace sallyport
