// origin_dialler.h: from a target to a connection on which its origin can be spoken to: resolved, connected, and for
// https with TLS done and the key judged. Lives on one loop; destroying it cancels it. Never destroy it inside its own
// Done: Loop::dispose.
#pragma once
#include <expected>
#include <functional>
#include <memory>
#include <vector>

#include "agent/origin_trust.h"
#include "agent/targets.h"
#include "net/connector.h"
#include "net/tls_transport.h"
#include "net/transport.h"
#include "tunnel/stream.h"

namespace sallyport {

struct OriginLimits {
    std::chrono::milliseconds resolve{5000};
    std::chrono::milliseconds connect{10000};
    std::chrono::milliseconds tls{10000};
};

class OriginDialler {
public:
    // Called once, on the loop, never inside the constructor. The connection has no owner yet.
    using Done = std::function<void(std::expected<TransportPtr, Refusal>)>;

    OriginDialler(Loop& loop, Workers& workers, OriginTrust& trust, Target target, OriginLimits limits, Done done);
    ~OriginDialler();
    OriginDialler(const OriginDialler&) = delete;
    OriginDialler& operator=(const OriginDialler&) = delete;

private:
    void connect();
    void on_connected(Result<Descriptor> connected);
    void on_handshake(Result<> shaken);
    void try_next_judge(const Error& why);
    void finish(std::expected<TransportPtr, Refusal> result);

    Loop& loop_;
    Workers& workers_;
    OriginTrust& trust_;
    Target target_;
    OriginLimits limits_;
    Done done_;
    std::vector<Judge> judges_;  // https only; judges_[judge_] is asked now
    std::size_t judge_ = 0;
    bool reread_ = false;
    std::unique_ptr<Connector> connector_;
    std::unique_ptr<TlsTransport> tls_;
    Timer deadline_;  // of the TLS handshake
};

}  // namespace sallyport
