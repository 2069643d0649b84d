// proxy_header_intake.h: connections fresh from a trusted proxy, until the PROXY header that they begin with is complete
// (wire/proxy_header.h). Bounded: its size and one deadline. Whoever brings none is closed and counted. Lives on one loop.
#pragma once
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "edge/edge_metrics.h"
#include "edge/edge_settings.h"
#include "edge/proxy_trust.h"
#include "net/descriptor.h"
#include "net/loop.h"
#include "wire/proxy_header.h"

namespace sallyport {

class ProxyHeaderIntake {
public:
    // `octets`: what came behind the header.
    using OnHeader = std::function<void(Descriptor connection, std::string octets, const ProxyHeader& header, VisitorEntry entry)>;

    ProxyHeaderIntake(Loop& loop, EdgeMetrics& metrics, EdgeSettings::Milliseconds deadline, OnHeader on_header);
    ~ProxyHeaderIntake();

    void take(Descriptor connection, VisitorEntry entry);
    std::size_t size() const { return pending_.size(); }
    void close_all();
    void set_deadline(EdgeSettings::Milliseconds deadline) { deadline_ = deadline; }

private:
    class Pending;
    void refuse(Pending& pending, HandshakeRefusal reason);
    void remove(Pending& pending);

    Loop& loop_;
    EdgeMetrics& metrics_;
    EdgeSettings::Milliseconds deadline_;
    OnHeader on_header_;
    std::vector<std::unique_ptr<Pending>> pending_;
};

}  // namespace sallyport
