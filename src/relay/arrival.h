// arrival.h: an agent's connection between its proof and its tunnel: the request is judged, the answer not yet given. Holds
// its transport without owner, so nothing is received meanwhile; or, of a stock SSH client, how that is answered. Lives on
// whichever loop holds it.
#pragma once
#include <memory>
#include <string>
#include <string_view>

#include "net/transport.h"
#include "relay/admission_refusal.h"
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

// One that comes by another way than our own opening handshake. Outlives its connection: each call bears that it is gone.
class ArrivingClient {
public:
    virtual ~ArrivingClient() = default;
    virtual std::string peer() const = 0;                                  // its address
    virtual std::unique_ptr<Tunnel> begin(Tunnel::Owner& owner) = 0;       // it is the agent from now on
    virtual void refuse(AdmissionRefusal reason, const std::string& live_peer) = 0;  // live_peer: who is connected (duplicate_live)
};

struct Arrival {
    ProvenAgent agent;
    std::string websocket_key;
    TransportPtr transport;
    std::string received;  // octets that came behind the request
    SessionRequest session{};
    ArrivalPurpose purpose = ArrivalPurpose::tunnel;
    std::unique_ptr<ArrivingClient> client{};  // instead of key, transport and octets

    std::string peer() const { return client ? client->peer() : transport->peer_address().ip(); }
    // Answers 101, with a fresh session, and gives what makes the tunnel then.
    MakeTunnel accept(Loop& loop, const TunnelSettings& settings);
    // Answers 101: the session that was asked for goes on, of which the relay has `held` DATA octets.
    void accept_again(ByteCount held);
    // Answers with a status and `Sallyport-Refused: <reason>`, and closes. Only for those who have proven themselves: a
    // stranger learns nothing here.
    void refuse(int status, AdmissionRefusal reason, const std::string& live_peer = {});
    // Answers 200 with how the agent stands, and closes.
    void show(const RelayView& view);

private:
    void answer(std::string_view session, ByteCount held);
};

}  // namespace sallyport::relay
