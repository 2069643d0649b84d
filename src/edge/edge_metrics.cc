#include "edge/edge_metrics.h"

namespace sallyport {

std::string_view name_of(HandshakeRefusal reason) {
    switch (reason) {
        case HandshakeRefusal::plain_http: return "plain_http";
        case HandshakeRefusal::not_tls: return "not_tls";
        case HandshakeRefusal::malformed: return "malformed";
        case HandshakeRefusal::too_large: return "too_large";
        case HandshakeRefusal::timeout: return "timeout";
        case HandshakeRefusal::tls_failed: return "tls_failed";
        case HandshakeRefusal::gone: return "gone";
        case HandshakeRefusal::overload: return "overload";
        case HandshakeRefusal::untrusted_proxy: return "untrusted_proxy";
        case HandshakeRefusal::proxy_header: return "proxy_header";
    }
    return "";
}

std::string_view name_of(PolicyRefusal reason) {
    switch (reason) {
        case PolicyRefusal::unreadable: return "unreadable";
        case PolicyRefusal::address: return "address";
        case PolicyRefusal::maintenance: return "maintenance";
        case PolicyRefusal::path: return "path";
        case PolicyRefusal::ambiguous_path: return "ambiguous_path";
        case PolicyRefusal::content: return "content";
        case PolicyRefusal::no_password: return "no_password";
        case PolicyRefusal::wrong_password: return "wrong_password";
        case PolicyRefusal::password_busy: return "password_busy";
        case PolicyRefusal::banned: return "banned";
    }
    return "";
}

RouteCounters& EdgeMetrics::route(const std::string& route_id, const std::string& hostname, const std::string& path_prefix) {
    if (const auto found = routes_.find(route_id); found != routes_.end()) return *found->second;
    auto made = std::make_unique<RouteCounters>();
    made->hostname = hostname;
    made->path_prefix = path_prefix;
    const std::lock_guard lock(mutex_);
    return *routes_.emplace(route_id, std::move(made)).first->second;
}

TcpRouteCounters& EdgeMetrics::tcp_route(const std::string& route_id, const std::string& listen) {
    const std::lock_guard lock(mutex_);
    auto& counters = tcp_routes_[route_id];
    if (!counters) {
        counters = std::make_unique<TcpRouteCounters>();
        counters->listen = listen;
    }
    return *counters;
}

}  // namespace sallyport
