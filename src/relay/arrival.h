// arrival.h: an agent's connection between its proof and its tunnel: the request is judged, the answer not yet given. Holds
// its transport without owner, so nothing is received meanwhile. Lives on whichever loop holds it.
#pragma once
#include <string>
#include <string_view>

#include "net/transport.h"
#include "relay/agent_link.h"
#include "wire/http1_message.h"
#include "wire/relay_view.h"

namespace sallyport::relay {

// What the agent says of its session (docs/protocol.md, Resuming).
struct SessionRequest {
    std::string id;          // empty: a new one
    ByteCount received = 0;  // DATA octets of it that the agent has

    // What can't be understood asks for a new session.
    static SessionRequest of(const RequestHead& request);
};

// What the agent wants with its proof.
enum class ArrivalPurpose { tunnel, view };

struct Arrival {
    ProvenAgent agent;
    std::string websocket_key;
    TransportPtr transport;
    std::string received;  // octets that came behind the request
    SessionRequest session{};
    ArrivalPurpose purpose = ArrivalPurpose::tunnel;

    // Answers 101 and gives a fresh session. The transport is then ready for the tunnel.
    void accept();
    // Answers 101: the session that was asked for goes on, of which the relay has `held` DATA octets.
    void accept_again(ByteCount held);
    // Answers with a status and `Sallyport-Refused: <reason>`, and closes. Only for those who have proven themselves: a
    // stranger learns nothing here.
    void refuse(int status, std::string_view reason);
    // Answers 200 with how the agent stands, and closes.
    void show(const RelayView& view);

private:
    void answer(std::string_view session, ByteCount held);
};

}  // namespace sallyport::relay
