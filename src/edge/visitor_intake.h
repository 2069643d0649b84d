// visitor_intake.h: connections fresh from the TLS listener, until their ClientHello is complete: its server name decides which
// loop goes on with them. The octets are read, not peeked at (MSG_PEEK on half a message makes a level-triggered loop spin),
// and travel on with the descriptor. Bounded: 64 KiB and one deadline each. What is no ClientHello is closed and counted;
// plain HTTP is told to use https. Lives on one loop.
#pragma once
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "edge/edge_metrics.h"
#include "edge/edge_settings.h"
#include "edge/proxy_trust.h"
#include "net/buffer_budget.h"
#include "net/descriptor.h"
#include "net/loop.h"
#include "wire/client_hello.h"

namespace sallyport {

class VisitorIntake {
public:
    using OnHello = std::function<void(Descriptor connection, std::string octets, const ClientHello& hello, VisitorEntry entry)>;

    VisitorIntake(Loop& loop, EdgeMetrics& metrics, const EdgeSettings& settings, OnHello on_hello);
    ~VisitorIntake();

    // `octets`: read from the connection before.
    void take(Descriptor connection, std::string octets, VisitorEntry entry);
    std::size_t size() const { return pending_.size(); }
    void close_all();

private:
    class Pending;
    void refuse(Pending& pending, HandshakeRefusal reason);
    void remove(Pending& pending);

    Loop& loop_;
    EdgeMetrics& metrics_;
    const EdgeSettings& settings_;  // a reload may change what stands there
    OnHello on_hello_;
    std::vector<std::unique_ptr<Pending>> pending_;
};

}  // namespace sallyport
