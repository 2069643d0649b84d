#include "wire/proxy_status.h"

#include <array>

#include "wire/structured_text.h"

namespace sallyport {
namespace {

constexpr std::size_t kMaxFieldValue = 4096;

struct Type {
    std::string_view name;
    int status;
};
// In the order of ProxyError; RFC 9209 2.3.
constexpr std::array kTypes = std::to_array<Type>({
    {"dns_timeout", 504},
    {"dns_error", 502},
    {"destination_not_found", 500},
    {"destination_unavailable", 503},
    {"destination_ip_prohibited", 502},
    {"destination_ip_unroutable", 502},
    {"connection_refused", 502},
    {"connection_terminated", 502},
    {"connection_timeout", 504},
    {"connection_read_timeout", 504},
    {"connection_write_timeout", 504},
    {"connection_limit_reached", 503},
    {"tls_protocol_error", 502},
    {"tls_certificate_error", 502},
    {"tls_alert_received", 502},
    {"http_request_error", 400},
    {"http_request_denied", 403},
    {"http_response_incomplete", 502},
    {"http_response_timeout", 504},
    {"http_protocol_error", 502},
    {"proxy_internal_response", 500},
    {"proxy_internal_error", 500},
    {"proxy_configuration_error", 500},
    {"proxy_loop_detected", 502},
});
static_assert(kTypes.size() == static_cast<std::size_t>(ProxyError::proxy_loop_detected) + 1);

ProxyError parse_error(std::string_view name) {
    for (std::size_t i = 0; i < kTypes.size(); ++i)
        if (kTypes[i].name == name) return static_cast<ProxyError>(i);
    return ProxyError::proxy_internal_error;
}

std::string printable(std::string_view text) {
    std::string out(text.substr(0, kMaxProxyStatusDetails));
    for (char& c : out)
        if (c < 0x20 || c >= 0x7f) c = '?';
    return out;
}

}  // namespace

std::string_view name_of(ProxyError error) { return kTypes[static_cast<std::size_t>(error)].name; }
int recommended_status(ProxyError error) { return kTypes[static_cast<std::size_t>(error)].status; }

std::string format_proxy_status(const ProxyStatus& status) {
    std::string out = is_token(status.proxy) ? status.proxy : "sallyport";
    out += "; error=";
    out += name_of(status.error);
    if (!status.details.empty()) {
        out += "; details=";
        append_quoted_string(out, std::string_view(status.details).substr(0, kMaxProxyStatusDetails));
    }
    return out;
}

Result<ProxyStatus> parse_proxy_status(std::string_view value) {
    if (value.size() > kMaxFieldValue) return fail(Errc::too_large, "Proxy-Status");
    std::string_view rest = last_list_member(value);
    ProxyStatus out;
    bool first = true;
    while (auto parameter = take_parameter(rest)) {
        if (std::exchange(first, false)) out.proxy = printable(parameter->name);
        else if (parameter->name == "error") out.error = parse_error(parameter->value);
        else if (parameter->name == "details") out.details = printable(parameter->value);
        if (rest.empty()) return out;
    }
    return fail(Errc::protocol, "malformed Proxy-Status");
}

}  // namespace sallyport
