// tcp_visitor.h: one connection to the public port of a TCP route: TLS where it ends here, the wait for an agent that isn't
// connected (offline_grace), then a stream to the route's target and its octets both ways. Nothing of them is understood.
//
// Whatever fails ends the connection with a reset: there is no protocol to say why in; the log says it. Nothing is received
// before the stream is open, so that nothing has to be kept but what came with a PROXY header. Lives on the context's loop.
#pragma once
#include <memory>
#include <optional>

#include "edge/edge_context.h"
#include "edge/problem.h"
#include "edge/tcp_route.h"
#include "edge/visitor_limits.h"
#include "net/tls_transport.h"
#include "tunnel/stream_pump.h"
#include "wire/proxy_header.h"

namespace sallyport {

class TcpVisitor final : private StreamPump::Owner {
public:
    class Owner {
    public:
        virtual void on_tcp_visitor_over(TcpVisitor& visitor) = 0;  // the last call; dispose of it

    protected:
        ~Owner() = default;
    };

    using Visit = VisitorLimits::Visit;
    TcpVisitor(EdgeContext& context, std::shared_ptr<const TcpRoute> route, TcpRouteCounters& counters, Visit visit, Owner& owner);
    ~TcpVisitor();
    TcpVisitor(const TcpVisitor&) = delete;
    TcpVisitor& operator=(const TcpVisitor&) = delete;

    // Before it starts: where the visitor connected, as a proxy in front of us has said. Else it is the socket's own address.
    void name_destination(ProxyEndpoint destination) { destination_ = std::move(destination); }
    // One of the two, once.
    void start(TransportPtr connection);
    void start_tls(std::unique_ptr<TlsTransport> connection);
    // Ends it now; the owner hears of it. `cause`: a literal, for the log.
    void cut(std::string_view cause) { fail(Hop::relay, cause); }

    const TcpRoute& route() const { return *route_; }
    std::size_t place = 0;  // in the owner's list

private:
    void find_agent();
    void open_stream();
    void on_pump_refused(const Refusal& refusal) override;
    void on_pump_over() override { finish(); }
    void fail(Hop hop, std::string_view cause, std::string_view detail = {});
    void fail(const Problem& problem, std::string_view detail = {}) { fail(problem.hop, problem.cause, detail); }
    void finish();

    EdgeContext& context_;
    const std::shared_ptr<const TcpRoute> route_;
    TcpRouteCounters& counters_;
    Visit visit_;
    Owner& owner_;
    const TimePoint began_ = Clock::now();
    TransportPtr connection_;  // until the pump has it
    SocketAddress peer_;
    std::optional<ProxyEndpoint> destination_;
    std::unique_ptr<Origins::Wait> wait_;
    std::string_view cause_;  // why it failed
    bool over_ = false;
    Timer handshake_deadline_;
    StreamPump pump_;
};

}  // namespace sallyport
