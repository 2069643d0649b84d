// rules.h: what names may look like before they enter the store. Each function returns the form that is stored, or
// Errc::invalid_argument with a line for the person who typed it. Pure.
#pragma once
#include <string>
#include <string_view>

#include "base/result.h"
#include "store/records.h"

namespace sallyport::store {

// One DNS label (RFC 1123 2.1): a-z 0-9 and '-' inside, at most 63 octets. Lower-cased.
Result<std::string> check_agent_name(std::string_view name);

// A DNS name of at most 253 octets, lower-cased, without the dot at the end; "*.example.org" covers one label. '_' is taken
// (names with it are in use), and so are IPv4 addresses, for trials.
// Other scripts come as A-labels ("xn--…").
Result<std::string> check_hostname(std::string_view hostname);

// An absolute path of at most 1024 octets without query, fragment, dot segments or empty segments; the slash at the
// end is dropped, except of "/". Compared octet for octet with what visitors send.
Result<std::string> check_path_prefix(std::string_view prefix);

// What a probe asks a target for: a path with or without query, octet for octet as it is sent; at most 1024 octets of printable
// ASCII without space and '#'.
Result<std::string> check_health_path(std::string_view path);

// An entry of the agent's table, or host:port for an agent with allow_any_target: 1-255 printable characters, no '!' in front
// without space, quote, '/' or '@'.
Result<std::string> check_target(std::string_view target);

// scheme://host:port, scheme one of http, https, tcp; what an agent could put into its table. At most 255 octets.
Result<std::string> check_target_url(std::string_view url);

Result<ForwardClientIp> parse_forward_client_ip(std::string_view text);  // auto | always | never
std::string_view name_of(ForwardClientIp value);

}  // namespace sallyport::store
