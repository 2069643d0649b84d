// tunnel_door.h: how an agent's connection leaves the edge. The edge shows every WebSocket opening on /tunnel to the door; what
// the door doesn't know is routed like any other request, so a stranger can't tell that there is a door.
#pragma once
#include <memory>
#include <string>

#include "edge/proxy_trust.h"
#include "net/tls_transport.h"
#include "net/transport.h"
#include "wire/http1_message.h"

namespace sallyport {

class TunnelDoor {
public:
    // A proven agent. Takes the connection over: answers 101 itself and goes on, on whichever loop it likes.
    class Admission {
    public:
        virtual ~Admission() = default;
        virtual void take(TransportPtr transport, std::string received) = 0;
    };

    virtual ~TunnelDoor() = default;
    // On the loop of the connection; doesn't block. `tls` is null where it doesn't end here, `scheme` what the agent
    // speaks then, as a trusted proxy says. Null: not ours.
    virtual std::unique_ptr<Admission> judge(const RequestHead& request, TlsTransport* tls, Scheme scheme) = 0;
};

}  // namespace sallyport
