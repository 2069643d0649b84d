// proxy_status.h: the Proxy-Status field (RFC 9209), by which the agent tells the relay why a target gave no stream.
// Pure.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace sallyport {

// The registered proxy error types that we send or understand (RFC 9209 2.3).
enum class ProxyError : std::uint8_t {
    dns_timeout,
    dns_error,
    destination_not_found,
    destination_unavailable,
    destination_ip_prohibited,
    destination_ip_unroutable,
    connection_refused,
    connection_terminated,
    connection_timeout,
    connection_read_timeout,
    connection_write_timeout,
    connection_limit_reached,
    tls_protocol_error,
    tls_certificate_error,
    tls_alert_received,
    http_request_error,
    http_request_denied,
    http_response_incomplete,
    http_response_timeout,
    http_protocol_error,
    proxy_internal_response,
    proxy_internal_error,
    proxy_configuration_error,
    proxy_loop_detected,
};

std::string_view name_of(ProxyError error);
int recommended_status(ProxyError error);  // RFC 9209 2.3: 502, 504, 403, ...

struct ProxyStatus {
    std::string proxy;  // who says it: "sallyport-agent"
    ProxyError error = ProxyError::proxy_internal_error;
    std::string details;  // at most 256 octets of printable ASCII after parsing or formatting
};

inline constexpr std::size_t kMaxProxyStatusDetails = 256;

// `proxy; error=dns_error; details="..."`. Details are cut at the bound; octets that may not stand there become '?'.
std::string format_proxy_status(const ProxyStatus& status);

// Reads the last member of the list, the proxy nearest to us. An unknown or missing error reads as
// proxy_internal_error, other parameters are skipped. Errc::protocol for what is no structured field; Errc::too_large
// above 4 KiB.
Result<ProxyStatus> parse_proxy_status(std::string_view field_value);

}  // namespace sallyport
