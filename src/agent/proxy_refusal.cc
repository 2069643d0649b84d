#include "agent/proxy_refusal.h"

#include <string>

namespace sallyport {
namespace {

ProxyError proxy_error_of(const Error& error) {
    switch (error.code) {
        case Errc::not_found: return ProxyError::dns_error;
        case Errc::refused: return ProxyError::connection_refused;
        case Errc::timeout:
            return error.detail.starts_with("resolving") ? ProxyError::dns_timeout : ProxyError::connection_timeout;
        case Errc::unreachable: return ProxyError::destination_ip_unroutable;
        case Errc::end_of_stream:
        case Errc::reset: return ProxyError::connection_terminated;
        case Errc::tls: return ProxyError::tls_protocol_error;
        case Errc::no_space: return ProxyError::connection_limit_reached;
        case Errc::protocol: return ProxyError::http_protocol_error;
        default: return ProxyError::proxy_internal_error;
    }
}

}  // namespace

Refusal make_refusal(ProxyError error, std::string_view details) {
    return {recommended_status(error), std::string(name_of(error)),
            std::string(details.substr(0, kMaxProxyStatusDetails))};
}

Refusal refusal_of(const Error& error) {
    Refusal refusal = make_refusal(proxy_error_of(error), error.detail);
    // Not too many streams, which 503 would mean: this machine can open no more (descriptors).
    if (error.code == Errc::no_space) refusal.status = 502;
    return refusal;
}

}  // namespace sallyport
