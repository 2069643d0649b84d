// connector.h: from a host name and port to a connected socket: resolves off the loop, then tries the addresses of both
// families, 250 ms apart (RFC 8305), and keeps the first that connects. Destroying it cancels it.
#pragma once
#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "net/descriptor.h"
#include "net/loop.h"
#include "net/socket_address.h"
#include "net/worker.h"

namespace sallyport {

// What a name stands for, 16 addresses at most, the families by turns (RFC 8305 4). Blocks for as long as the resolver likes: for a worker.
Result<std::vector<SocketAddress>> resolve_host(const std::string& host, std::uint16_t port);

class Connector {
public:
    struct Limits {
        std::chrono::milliseconds resolve{5000};
        std::chrono::milliseconds connect{10000};
    };
    // Called once, on the loop. Errors: not_found (no such host), timeout (detail says of which step), refused, unreachable.
    using Done = std::function<void(Result<Descriptor>)>;

    Connector(Loop& loop, Workers& workers, std::string host, std::uint16_t port, Limits limits, Done done);
    ~Connector();
    Connector(const Connector&) = delete;
    Connector& operator=(const Connector&) = delete;

    // Somebody has taken a connection, by what the kernel knows; the loop may not have come to it yet.
    bool connected() const;

private:
    struct Attempt;
    struct Resolution;
    void start_next_attempt();
    void on_resolved(Result<std::vector<SocketAddress>> addresses);
    void on_attempt_ready(Attempt& attempt);
    void finish(Result<Descriptor> result);

    Loop& loop_;
    Limits limits_;
    Done done_;
    std::shared_ptr<Resolution> resolution_;
    std::vector<SocketAddress> addresses_;
    std::size_t next_address_ = 0;
    std::vector<std::unique_ptr<Attempt>> attempts_;
    Error last_error_{Errc::unreachable, "no address"};
    Timer deadline_;
    Timer stagger_;
};

}  // namespace sallyport
