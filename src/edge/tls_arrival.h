// tls_arrival.h: a visitor's connection between its ClientHello and the end of its TLS handshake. What is spoken afterwards
// stands in ALPN, so it is known only then. Lives on the context's loop.
#pragma once
#include <functional>
#include <memory>
#include <string>

#include "edge/edge_context.h"
#include "edge/visitor_connection.h"
#include "net/tls_transport.h"

namespace sallyport {

class TlsArrival final : public VisitorConnection {
public:
    // Called once, if the handshake succeeds; the arrival is over then.
    using OnArrived = std::function<void(std::unique_ptr<TlsTransport> transport, std::string server_name, VisitorEntry entry)>;
    // `server_name`: of the ClientHello, may be empty.
    TlsArrival(EdgeContext& context, std::unique_ptr<TlsTransport> transport, std::string server_name, OnArrived on_arrived);

    void start();  // once it has its place in the owner's list: it may be over within this call
    void drain() override { give_up(); }
    void cut() override;

private:
    void on_handshake(const Result<>& done);
    void on_deadline();
    void give_up();
    void over();

    EdgeContext& context_;
    std::unique_ptr<TlsTransport> transport_;
    std::string server_name_;
    OnArrived on_arrived_;
    bool over_ = false;
    Timer deadline_;
};

}  // namespace sallyport
