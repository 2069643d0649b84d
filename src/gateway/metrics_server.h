// metrics_server.h: GET /metrics and GET /healthz on a listener of their own, a connection a request (HTTP/1.1, Connection:
// close). Nothing else is understood: the gateway has no other use for HTTP. Bounded in connections, octets and time.
#pragma once
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "net/socket.h"

namespace sallyport::gateway {

class MetricsServer {
public:
    using Text = std::function<std::string()>;  // what /metrics says, made when asked for
    MetricsServer(Loop& loop, Descriptor listener, Text text);
    ~MetricsServer();
    MetricsServer(const MetricsServer&) = delete;
    MetricsServer& operator=(const MetricsServer&) = delete;

private:
    class Exchange;
    static constexpr std::size_t kMostExchanges = 64;
    void accept(Descriptor descriptor);
    void over(Exchange& exchange);
    Loop& loop_;
    Text text_;
    std::map<Exchange*, std::unique_ptr<Exchange>> exchanges_;
    Acceptor acceptor_;
};

}  // namespace sallyport::gateway
