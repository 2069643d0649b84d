#include "wire/host_name.h"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>

#include "wire/http_syntax.h"

namespace sallyport {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_alphanumeric(char c) {
    const char lower = ascii_lower(c);
    return is_digit(c) || (lower >= 'a' && lower <= 'z');
}

bool is_label(std::string_view label) {
    if (label.empty() || label.size() > 63 || label.front() == '-' || label.back() == '-') return false;
    return std::ranges::all_of(label, [](char c) { return is_alphanumeric(c) || c == '-' || c == '_'; });
}

bool is_name(std::string_view text) {
    if (text.empty() || text.size() > kMaxHostName) return false;
    for (;;) {
        const std::size_t dot = text.find('.');
        const std::string_view label = text.substr(0, dot);
        if (!is_label(label)) return false;
        if (dot == std::string_view::npos)
            return !std::ranges::all_of(label, is_digit);  // "1.2.3" reads as an address elsewhere
        text.remove_prefix(dot + 1);
    }
}

// inet_pton with views. family is AF_INET or AF_INET6; out holds in_addr or in6_addr.
bool parse_address(int family, std::string_view text, void* out) {
    char copy[INET6_ADDRSTRLEN];
    if (text.empty() || text.size() >= sizeof copy) return false;
    *std::ranges::copy(text, copy).out = '\0';
    return text.find('\0') == std::string_view::npos && ::inet_pton(family, copy, out) == 1;
}

std::string address_text(int family, const void* address) {
    char text[INET6_ADDRSTRLEN];
    return ::inet_ntop(family, address, text, sizeof text) ? text : "";
}

struct Parts {
    std::string_view host;  // without brackets
    HostKind kind = HostKind::name;
    std::optional<std::uint16_t> port;
};

bool take_port(std::string_view text, Parts& out) {
    const Result<std::uint16_t> port = parse_port(text);
    if (port) out.port = *port;
    return port.has_value();
}

bool split(std::string_view text, Parts& out, RootDot root_dot) {
    if (text.starts_with('[')) {
        const std::size_t end = text.find(']');
        if (end == std::string_view::npos) return false;
        out.host = text.substr(1, end - 1);
        out.kind = HostKind::ipv6;
        text.remove_prefix(end + 1);
        if (!text.empty() && (text.front() != ':' || !take_port(text.substr(1), out))) return false;
        in6_addr address;
        return parse_address(AF_INET6, out.host, &address);
    }
    const std::size_t colon = text.find(':');
    out.host = text.substr(0, colon);
    if (colon != std::string_view::npos && !take_port(text.substr(colon + 1), out)) return false;
    if (is_name(out.host)) return true;
    if (root_dot == RootDot::dropped && out.host.ends_with('.') && is_name(out.host.substr(0, out.host.size() - 1))) {
        out.host.remove_suffix(1);
        return true;
    }
    out.kind = HostKind::ipv4;
    in_addr address;
    return parse_address(AF_INET, out.host, &address);
}

std::string lower(std::string_view text) {
    std::string out(text);
    std::ranges::transform(out, out.begin(), ascii_lower);
    return out;
}

std::unexpected<Error> bad_host(std::string_view text, std::string_view what) {
    std::string detail = "\"";
    detail += text.substr(0, 80);
    detail += "\" is no ";
    detail += what;
    return fail(Errc::invalid_argument, std::move(detail));
}

}  // namespace

Result<std::string> parse_host_name(std::string_view text) {
    if (!is_name(text)) return bad_host(text, "host name (letters, digits and '-' between dots, no dot at the end)");
    return lower(text);
}

Result<std::uint16_t> parse_port(std::string_view text) {
    std::uint16_t port = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
    if (error != std::errc{} || end != text.data() + text.size() || port == 0 || text.size() > 5)
        return bad_host(text, "port (1 to 65535)");
    return port;
}

bool is_authority(std::string_view text) {
    Parts parts;
    return split(text, parts, RootDot::dropped);
}

void drop_root_dot(std::string& authority) {
    const std::size_t end = std::min(authority.find(':'), authority.size());  // an IPv6 address has no dot before its first colon
    if (end > 0 && authority[end - 1] == '.') authority.erase(end - 1, 1);
}

Result<Authority> parse_authority(std::string_view text, RootDot root_dot) {
    Parts parts;
    if (!split(text, parts, root_dot)) return bad_host(text, "host or host:port (IPv6 addresses stand in brackets)");
    Authority out{.host = {}, .kind = parts.kind, .port = parts.port};
    if (parts.kind == HostKind::name) {
        out.host = lower(parts.host);
    } else {
        const int family = parts.kind == HostKind::ipv6 ? AF_INET6 : AF_INET;
        in6_addr address{};
        parse_address(family, parts.host, &address);
        out.host = address_text(family, &address);
    }
    return out;
}

std::string Authority::host_text() const { return kind == HostKind::ipv6 ? "[" + host + "]" : host; }

std::string Authority::text() const {
    std::string out = host_text();
    if (port) out += ":" + std::to_string(*port);
    return out;
}

bool Authority::is_loopback() const {
    if (kind == HostKind::ipv4) return host.starts_with("127.");
    if (kind == HostKind::ipv6) return host == "::1" || host.starts_with("::ffff:127.");
    return host == "localhost" || host.ends_with(".localhost");
}

std::string HostPattern::text() const { return wildcard ? "*." + name : name; }

bool HostPattern::matches(std::string_view host) const {
    if (!wildcard) return host == name;
    const std::size_t dot = host.find('.');
    return dot != std::string_view::npos && dot > 0 && host.substr(dot + 1) == name;
}

Result<HostPattern> parse_host_pattern(std::string_view text) {
    const bool wildcard = text.starts_with("*.");
    const std::string_view name = wildcard ? text.substr(2) : text;
    if (!is_name(name)) return bad_host(text, "host name or wildcard like *.example.org");
    return HostPattern{.name = lower(name), .wildcard = wildcard};
}

}  // namespace sallyport
