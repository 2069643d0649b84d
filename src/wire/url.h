// url.h: the URLs of our own configuration: scheme://host[:port][/path]. No userinfo, query or fragment. Pure.
// Errors are Errc::invalid_argument and say what to write instead.
#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"
#include "wire/host_name.h"

namespace sallyport {

struct Url {
    std::string scheme;  // lower-case
    std::string host;    // as in Authority
    HostKind host_kind = HostKind::name;
    std::uint16_t port = 0;  // given, or the scheme's default
    std::string path;        // "" or begins with '/'

    bool has_default_port() const;
    std::string authority() const;  // host, with ":port" unless it is the default
    std::string text() const;
    bool operator==(const Url&) const = default;
};

// 80 http ws, 443 https wss, 22 ssh, else 0.
std::uint16_t default_port(std::string_view scheme);

// `schemes`: those allowed, named in the error. A scheme without default port needs a port.
Result<Url> parse_url(std::string_view text, std::span<const std::string_view> schemes);

Result<Url> parse_target_url(std::string_view text);  // http, https, tcp; no path
Result<Url> parse_relay_url(std::string_view text);   // wss (https is read as wss), ws only to loopback; any path
Result<Url> parse_public_url(std::string_view text);  // https, http; path only "/" (dropped)

}  // namespace sallyport
