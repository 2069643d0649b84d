// arrival.h: an agent's connection between its proof and its tunnel: the request is judged, the answer not yet given. Holds
// its transport without owner, so nothing is received meanwhile. Lives on whichever loop holds it.
#pragma once
#include <string>
#include <string_view>

#include "net/transport.h"
#include "relay/agent_link.h"

namespace sallyport::relay {

inline constexpr std::string_view kTunnelProtocol = "sallyport.1";  // Sec-WebSocket-Protocol; docs/protocol.md

struct Arrival {
    ProvenAgent agent;
    std::string websocket_key;
    TransportPtr transport;
    std::string received;  // octets that came behind the request

    // Answers 101 and gives a fresh session. The transport is then ready for the tunnel.
    void accept();
    // Answers with a status and `Sallyport-Refused: <reason>`, and closes. Only for those who have proven themselves: a
    // stranger learns nothing here.
    void refuse(int status, std::string_view reason);
};

}  // namespace sallyport::relay
