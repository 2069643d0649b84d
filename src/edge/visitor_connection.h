// visitor_connection.h: what the Edge keeps of each of its connections, whatever is spoken on it. Lives on the context's loop.
#pragma once
#include <cstddef>

#include "edge/proxy_trust.h"
#include "edge/visitor_limits.h"

namespace sallyport {

class VisitorConnection {
public:
    virtual ~VisitorConnection() = default;
    // The relay stops, and another one goes on: says so where the protocol can (HTTP/1.1 tells with its next answer).
    virtual void drain_gently() {}
    // The relay stops: ends as soon as what is under way allows it.
    virtual void drain() = 0;
    // Cuts it now, without a word to anybody but its exchanges.
    virtual void cut() = 0;

    VisitorLimits::Visit visit;  // set before anything is received; counts the connection while it lives
    ProxyTrust trust{};          // set with it
    std::size_t place = 0;       // in the owner's list
};

}  // namespace sallyport
