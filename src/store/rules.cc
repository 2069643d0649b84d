#include "store/rules.h"

#include <algorithm>
#include <charconv>

namespace sallyport::store {
namespace {

constexpr std::size_t kMaxLabel = 63;       // RFC 1035 2.3.4
constexpr std::size_t kMaxHostname = 253;   // RFC 1035 2.3.4, as text
constexpr std::size_t kMaxPathPrefix = 1024;
constexpr std::size_t kMaxTarget = 255;

bool is_alphanumeric(char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); }

std::string lower_cased(std::string_view text) {
    std::string out{text};
    for (char& c : out)
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    return out;
}

bool is_label(std::string_view label) {
    return !label.empty() && label.size() <= kMaxLabel && label.front() != '-' && label.back() != '-' &&
           std::ranges::all_of(label, [](char c) { return is_alphanumeric(c) || c == '-' || c == '_'; });
}

bool is_dns_name(std::string_view name) {
    while (true) {
        const auto dot = name.find('.');
        if (!is_label(name.substr(0, dot))) return false;
        if (dot == std::string_view::npos) return true;
        name.remove_prefix(dot + 1);
    }
}

// What may stand in a path segment (RFC 3986 3.3), percent-encoding included.
bool is_path_character(char c) {
    return is_alphanumeric(c) || (c >= 'A' && c <= 'Z') || std::string_view("-._~!$&'()*+,;=:@%").contains(c);
}

// Puts what was typed into a message: bounded, and without anything a terminal would act on.
std::string shown(std::string_view text) {
    std::string out = "\"";
    for (const char c : text.substr(0, 80)) out += (c >= 0x20 && c < 0x7f) ? c : '?';
    if (text.size() > 80) out += "...";
    return out + "\"";
}

}  // namespace

Result<std::string> check_agent_name(std::string_view name) {
    std::string lower = lower_cased(name);
    if (!is_label(lower) || lower.contains('_'))
        return fail(Errc::invalid_argument, "agent name " + shown(name) +
                                                ": use 1 to 63 letters, digits and '-' (no '-' at either end)");
    return lower;
}

Result<std::string> check_hostname(std::string_view hostname) {
    std::string lower = lower_cased(hostname);
    if (lower.ends_with('.')) lower.pop_back();
    std::string_view name = lower;
    if (name.starts_with("*.")) {
        name.remove_prefix(2);
        if (!name.contains('.'))
            return fail(Errc::invalid_argument, "hostname " + shown(hostname) + ": a wildcard needs at least two labels behind it");
    }
    if (std::ranges::any_of(name, [](char c) { return static_cast<unsigned char>(c) >= 0x80; }))
        return fail(Errc::invalid_argument, "hostname " + shown(hostname) + ": write it in its ASCII form (xn--...)");
    if (lower.size() > kMaxHostname || !is_dns_name(name))
        return fail(Errc::invalid_argument,
                    "hostname " + shown(hostname) + ": not a DNS name (like home.example.org or *.example.org, no port)");
    return lower;
}

Result<std::string> check_path_prefix(std::string_view prefix) {
    const auto refuse = [&](std::string_view why) {
        return fail(Errc::invalid_argument, "path prefix " + shown(prefix) + ": " + std::string(why));
    };
    if (!prefix.starts_with('/')) return refuse("begin it with '/'");
    if (prefix.size() > kMaxPathPrefix) return refuse("longer than 1024 octets");
    if (prefix == "/") return std::string(prefix);
    std::string_view rest = prefix.substr(1);
    if (rest.ends_with('/')) rest.remove_suffix(1);
    const std::string stored = "/" + std::string(rest);
    while (true) {
        const auto slash = rest.find('/');
        const std::string_view segment = rest.substr(0, slash);
        if (segment.empty() || segment == "." || segment == "..") return refuse("empty and dot segments are not allowed");
        if (!std::ranges::all_of(segment, is_path_character)) return refuse("only what stands in a URL's path, without '?' and '#'");
        if (slash == std::string_view::npos) return stored;
        rest.remove_prefix(slash + 1);
    }
}

Result<std::string> check_health_path(std::string_view path) {
    const auto refuse = [&](std::string_view why) {
        return fail(Errc::invalid_argument, "health path " + shown(path) + ": " + std::string(why));
    };
    if (!path.starts_with('/')) return refuse("begin it with '/'");
    if (path.size() > kMaxPathPrefix) return refuse("longer than 1024 octets");
    if (!std::ranges::all_of(path, [](char c) { return c > 0x20 && c < 0x7f && c != '#'; })) return refuse("only what stands in a URL, without '#'");
    return std::string(path);
}

Result<std::string> check_target(std::string_view target) {
    // What begins with '!' is the agent itself (wire/relay_view.h, kDoctorTarget).
    const bool fits = !target.empty() && target.front() != '!' && target.size() <= kMaxTarget && std::ranges::all_of(target, [](char c) {
        return c > 0x20 && c < 0x7f && !std::string_view("\"'/\\@?#").contains(c);
    });
    if (!fits) return fail(Errc::invalid_argument, "target " + shown(target) + ": a name of the agent's table, like homeassistant");
    return std::string(target);
}

Result<std::string> check_target_url(std::string_view url) {
    const auto refuse = [&] {
        return fail(Errc::invalid_argument, "target " + shown(url) + ": write it as http://host:port, https://host:port or tcp://host:port");
    };
    if (url.size() > kMaxTarget) return refuse();
    std::string_view authority = url;
    const auto scheme_end = authority.find("://");
    if (scheme_end == std::string_view::npos) return refuse();
    const std::string_view scheme = authority.substr(0, scheme_end);
    if (scheme != "http" && scheme != "https" && scheme != "tcp") return refuse();
    authority.remove_prefix(scheme_end + 3);
    const auto colon = authority.rfind(':');
    if (colon == std::string_view::npos) return refuse();
    const std::string_view digits = authority.substr(colon + 1);
    unsigned port = 0;
    const auto [end, error] = std::from_chars(digits.begin(), digits.end(), port);
    if (error != std::errc{} || end != digits.end() || port == 0 || port > 65535) return refuse();
    const std::string host = lower_cased(authority.substr(0, colon));
    const bool ip6 = host.starts_with('[') && host.ends_with(']') && host.size() > 3 &&
                     std::ranges::all_of(host.substr(1, host.size() - 2), [](char c) {
                         return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || c == ':' || c == '.';
                     });
    if (!ip6 && !is_dns_name(host)) return refuse();
    return std::string(url);
}

std::string_view name_of(ForwardClientIp value) {
    switch (value) {
        case ForwardClientIp::automatic: return "auto";
        case ForwardClientIp::always: return "always";
        case ForwardClientIp::never: return "never";
    }
    return "auto";
}

Result<ForwardClientIp> parse_forward_client_ip(std::string_view text) {
    for (const auto value : {ForwardClientIp::automatic, ForwardClientIp::always, ForwardClientIp::never})
        if (name_of(value) == text) return value;
    return fail(Errc::invalid_argument, "forward_client_ip " + shown(text) + ": write auto, always or never");
}

}  // namespace sallyport::store
