// tunnel_door.h: judges who opens a tunnel, or asks how it stands: WebSocket openings on /tunnel with
// `Sec-WebSocket-Protocol: sallyport.1` (or sallyport-view.1: answered with a RelayView, no tunnel) and one of
//   Authorization: Concealed …         the agent's key, proved over this very connection (RFC 9729)
//     with Sallyport-Enroll: ID.SECRET  a key not known yet, and the one-time secret that gets it enrolled
//   Authorization: Bearer ID.SECRET    an api_key
//   Authorization: Basic ID:SECRET     a device_id and its secret
// Whatever fails is no answer of ours: the edge goes on as with any unknown path. Only who has proven himself hears a reason
// (`Sallyport-Refused`). One instance a loop. A stranger can't make it do public-key work: keys and secrets are looked up first.
#pragma once
#include <functional>
#include <memory>
#include <string>

#include "edge/tunnel_door.h"
#include "relay/agents.h"
#include "store/store_thread.h"

namespace sallyport::relay {

class Door final : public TunnelDoor {
public:
    // Called on the store's thread after each change to an agent; has every loop see a directory with the change in it.
    using Refresh = std::function<void(store::Store&, const store::AgentId&)>;

    Door(std::size_t loop_index, Agents& agents, store::StoreThread& store, Refresh refresh);

    std::unique_ptr<Admission> judge(const RequestHead& request, TlsTransport* tls, Scheme scheme) override;

private:
    class Admitted;
    class Enrolling;

    const store::Credential* judge_secret(std::string_view authorization);
    std::unique_ptr<Admission> judge_key(const RequestHead& request, std::string_view authorization, TlsTransport* tls,
                                         std::string websocket_key);
    std::unique_ptr<Admission> admit(const store::Credential& credential, std::string websocket_key, const RequestHead& request);
    std::nullptr_t refuse(AdmissionRefusal reason);
    void on_redeemed(Arrival& arrival, const store::AgentKey& key, const Result<store::AgentId>& redeemed);
    void hand_over(Arrival arrival);

    LoopAgents& here_;
    Agents& agents_;
    store::StoreThread& store_;
    Refresh refresh_;
};

}  // namespace sallyport::relay
