// tcp_visitors.h: all connections to TCP routes on one loop. Lives on the context's loop.
#pragma once
#include <memory>
#include <string_view>
#include <vector>

#include "edge/tcp_visitor.h"
#include "net/descriptor.h"

namespace sallyport {

class TcpVisitors final : private TcpVisitor::Owner {
public:
    explicit TcpVisitors(EdgeContext& context) : context_(context) {}
    ~TcpVisitors();
    TcpVisitors(const TcpVisitors&) = delete;
    TcpVisitors& operator=(const TcpVisitors&) = delete;

    // A connection fresh from the route's port. `tls`: null where the route's TLS doesn't end here.
    void take(const std::shared_ptr<const TcpRoute>& route, Descriptor connection, const SocketAddress& peer, Ssl tls);
    // A route that is gone takes its connections with it.
    void cut_route(std::string_view route_id);
    std::size_t size() const { return visitors_.size(); }

private:
    void on_tcp_visitor_over(TcpVisitor& visitor) override;

    EdgeContext& context_;
    std::vector<std::unique_ptr<TcpVisitor>> visitors_;
    bool closing_ = false;
};

}  // namespace sallyport
