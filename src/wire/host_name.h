// host_name.h: host names, IP literals, and host[:port] (RFC 3986 3.2, RFC 1123 2.1). Names come out lower-case. '_'
// is taken in labels since names with it are in use; a trailing dot, empty labels and anything outside ASCII are not
// (use A-labels). Pure: nothing is resolved. Errors are Errc::invalid_argument with a text for people.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace sallyport {

inline constexpr std::size_t kMaxHostName = 253;

// A DNS name, not an IP address. Labels of 1 to 63 octets, no '-' at a label's ends, the last label not all digits.
Result<std::string> parse_host_name(std::string_view text);

enum class HostKind : std::uint8_t { name, ipv4, ipv6 };

struct Authority {
    std::string host;  // a name, or an address in its shortest form, IPv6 without brackets
    HostKind kind = HostKind::name;
    std::optional<std::uint16_t> port;  // as written; 1..65535

    std::string host_text() const;  // with brackets around IPv6
    std::string text() const;       // host_text() and ":port" if there is one
    bool is_loopback() const;       // 127.0.0.0/8, ::1, "localhost" and names below it
};

// host, host:port, [v6], [v6]:port. No userinfo, no zone id. ":" without digits behind it is refused.
// The dot behind a fully qualified name ("home.example.") names the same host (RFC 3986 3.2.2); certificates, SNI and routes
// have none. Visitors may send it; in configuration it is refused.
enum class RootDot { refused, dropped };
Result<Authority> parse_authority(std::string_view text, RootDot root_dot = RootDot::refused);

// Whether parse_authority() would take it, with a root dot too; allocates nothing.
bool is_authority(std::string_view text);

// Takes the root dot out of what is_authority() took: "home.example.:8443" becomes "home.example:8443".
void drop_root_dot(std::string& authority);

// 1..65535 in decimal.
Result<std::uint16_t> parse_port(std::string_view text);

// What a route or certificate names: a host name, or "*." and a name, which stands for exactly one label more.
struct HostPattern {
    std::string name;  // of a wildcard the part behind "*."
    bool wildcard = false;

    std::string text() const;
    bool matches(std::string_view lower_case_host) const;
    bool operator==(const HostPattern&) const = default;
};
Result<HostPattern> parse_host_pattern(std::string_view text);

}  // namespace sallyport
