#include "wire/url.h"

#include <algorithm>
#include <array>

#include "wire/http_syntax.h"

namespace sallyport {
namespace {

using namespace std::string_view_literals;

std::unexpected<Error> refuse(std::string_view text, std::string_view why) {
    std::string detail = "\"";
    detail += text.substr(0, 120);
    detail += "\": ";
    detail += why;
    return fail(Errc::invalid_argument, std::move(detail));
}

std::string join(std::span<const std::string_view> schemes) {
    std::string out;
    for (std::size_t i = 0; i < schemes.size(); ++i) {
        if (i > 0) out += i + 1 == schemes.size() ? " or " : ", ";
        out.append(schemes[i]).append("://");
    }
    return out;
}

bool is_path(std::string_view path) {
    return std::ranges::all_of(path, [](char c) {
        return syntax::is(c, syntax::kTargetOctet) && static_cast<unsigned char>(c) < 0x80 && c != '"' && c != '<' &&
               c != '>' && c != '\\';
    });
}

}  // namespace

std::uint16_t default_port(std::string_view scheme) {
    if (scheme == "https" || scheme == "wss") return 443;
    if (scheme == "http" || scheme == "ws") return 80;
    if (scheme == "ssh") return 22;
    return 0;
}

bool Url::has_default_port() const { return port == default_port(scheme); }

std::string Url::authority() const {
    std::string out = host_kind == HostKind::ipv6 ? "[" + host + "]" : host;
    if (!has_default_port()) out += ":" + std::to_string(port);
    return out;
}

std::string Url::text() const { return scheme + "://" + authority() + path; }

Result<Url> parse_url(std::string_view text, std::span<const std::string_view> schemes) {
    if (text.size() > 2048) return refuse(text, "too long");
    const std::size_t colon = text.find("://");
    if (colon == std::string_view::npos) return refuse(text, "must begin with " + join(schemes));
    Url out;
    out.scheme = text.substr(0, colon);
    std::ranges::transform(out.scheme, out.scheme.begin(), ascii_lower);
    if (std::ranges::find(schemes, out.scheme) == schemes.end())
        return refuse(text, "must begin with " + join(schemes));
    std::string_view rest = text.substr(colon + 3);
    const std::size_t end = std::min(rest.find_first_of("/?#"), rest.size());
    if (rest.find('@') < end) return refuse(text, "a user name or password has no place here");
    if (rest.find_first_of("?#") != std::string_view::npos)
        return refuse(text, "a query or fragment has no place here");
    const Result<Authority> authority = parse_authority(rest.substr(0, end));
    if (!authority) return refuse(text, authority.error().detail);
    out.host = authority->host;
    out.host_kind = authority->kind;
    out.port = authority->port.value_or(default_port(out.scheme));
    if (out.port == 0) return refuse(text, "a port is needed");
    out.path = rest.substr(end);
    if (!is_path(out.path)) return refuse(text, "a character that may not stand in a path");
    return out;
}

Result<Url> parse_target_url(std::string_view text) {
    Result<Url> url = parse_url(text, std::array{"http"sv, "https"sv, "tcp"sv});
    if (!url) return url;
    if (url->path == "/") url->path.clear();
    if (!url->path.empty()) return refuse(text, "a target is scheme://host:port without a path");
    return url;
}

Result<Url> parse_relay_url(std::string_view text) {
    Result<Url> url = parse_url(text, std::array{"wss"sv, "ws"sv, "https"sv});
    if (!url) return url;
    if (url->scheme == "https") url->scheme = "wss";
    const Authority authority{.host = url->host, .kind = url->host_kind, .port = {}};
    if (url->scheme == "ws" && !authority.is_loopback())
        return refuse(text, "ws:// is allowed to loopback (this machine) only: write wss://");
    return url;
}

Result<Url> parse_public_url(std::string_view text) {
    Result<Url> url = parse_url(text, std::array{"https"sv, "http"sv});
    if (!url) return url;
    if (url->path == "/") url->path.clear();
    if (!url->path.empty()) return refuse(text, "a public URL has no path");
    return url;
}

}  // namespace sallyport
