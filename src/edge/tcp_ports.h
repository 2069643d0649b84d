// tcp_ports.h: the TCP routes that one loop serves: their listeners and all connections to them. Lives on the context's loop.
#pragma once
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "edge/tcp_visitor.h"
#include "net/descriptor.h"
#include "net/socket.h"
#include "net/tls_context.h"

namespace sallyport {

// A route and the listening socket of its port, which stays bound while anybody holds it.
struct TcpPort {
    std::shared_ptr<const TcpRoute> route;
    std::shared_ptr<const Descriptor> listener;
};

class TcpPorts final : private TcpVisitor::Owner {
public:
    using Visit = VisitorLimits::Visit;
    // Whether a fresh connection may be served; if not it is closed.
    using Admit = std::function<std::optional<Visit>(const SocketAddress& peer, VisitorLimits::Kind kind)>;
    TcpPorts(EdgeContext& context, Admit admit) : context_(context), admit_(std::move(admit)) {}
    ~TcpPorts();
    TcpPorts(const TcpPorts&) = delete;
    TcpPorts& operator=(const TcpPorts&) = delete;

    // The ports from now on. Connections of a route that is not among them any more are cut; those of one that changed go
    // on as they began.
    void set(const std::vector<TcpPort>& ports);
    void set_server_tls(std::shared_ptr<const ServerTls> tls) { tls_ = std::move(tls); }
    void stop_listening();
    void try_again();  // descriptors have become free
    std::size_t open_connections() const { return visitors_.size(); }

private:
    struct Port {
        TcpPort port;
        std::unique_ptr<Acceptor> acceptor;
    };
    void listen(Port& port);
    void take(const Port& port, Descriptor connection, const SocketAddress& peer);
    void cut_route(std::string_view route_id);
    void on_tcp_visitor_over(TcpVisitor& visitor) override;

    EdgeContext& context_;
    Admit admit_;
    std::shared_ptr<const ServerTls> tls_;
    std::map<std::string, Port> ports_;  // by route id
    std::vector<std::unique_ptr<TcpVisitor>> visitors_;
    bool closing_ = false;
};

}  // namespace sallyport
