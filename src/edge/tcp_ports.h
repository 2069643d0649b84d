// tcp_ports.h: the TCP routes that one loop serves: their listeners and all connections to them. Lives on the context's loop.
#pragma once
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "edge/proxy_header_intake.h"
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
    // Whose connections they are.
    class Host {
    public:
        // Whether a fresh connection may be served; if not it is closed. With trust.visitor a PROXY header comes first.
        virtual std::optional<VisitorEntry> admit_to_tcp_port(const SocketAddress& peer, VisitorLimits::Kind kind) = 0;
        // Makes the connection that of whom the header names. False: he may not be served, and it is counted.
        virtual bool believe(const ProxyHeader& header, VisitorEntry& entry) = 0;

    protected:
        ~Host() = default;
    };

    TcpPorts(EdgeContext& context, Host& host) : context_(context), host_(host) {}
    ~TcpPorts();
    TcpPorts(const TcpPorts&) = delete;
    TcpPorts& operator=(const TcpPorts&) = delete;

    // The ports from now on. Connections of a route that is not among them any more are cut; those of one that changed go
    // on as they began.
    void set(const std::vector<TcpPort>& ports);
    void set_server_tls(std::shared_ptr<const ServerTls> tls) { tls_ = std::move(tls); }
    void stop_listening();
    void close_unnamed();  // those whose PROXY header hasn't come yet
    void try_again();  // descriptors have become free
    std::size_t open_connections() const;

private:
    struct Port {
        TcpPort port;
        std::unique_ptr<ProxyHeaderIntake> headers;
        std::unique_ptr<Acceptor> acceptor;
    };
    std::unique_ptr<ProxyHeaderIntake> make_headers(Port& port);
    void listen(Port& port);
    void take(Port& port, Descriptor connection, const SocketAddress& peer);
    // `header` is empty where none was to come; `octets` are what came behind it.
    void begin(const Port& port, Descriptor connection, std::string octets, const ProxyHeader& header, VisitorEntry entry);
    void cut_route(std::string_view route_id);
    void on_tcp_visitor_over(TcpVisitor& visitor) override;

    EdgeContext& context_;
    Host& host_;
    std::shared_ptr<const ServerTls> tls_;
    std::map<std::string, Port> ports_;  // by route id
    std::vector<std::unique_ptr<TcpVisitor>> visitors_;
    bool closing_ = false;
};

}  // namespace sallyport
