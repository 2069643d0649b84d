#include "relay/tunnel_door.h"

#include <algorithm>

#include "net/tcp_transport.h"
#include "relay/arrival.h"
#include "store/credential.h"
#include "wire/authorization.h"
#include "wire/concealed_auth.h"
#include "wire/host_name.h"
#include "wire/websocket_handshake.h"

namespace sallyport::relay {
namespace {

std::optional<ArrivalPurpose> purpose_of(const RequestHead& request) {
    if (request.fields.has_member(FieldId::sec_websocket_protocol, kTunnelProtocol)) return ArrivalPurpose::tunnel;
    if (request.fields.has_member(FieldId::sec_websocket_protocol, kViewProtocol)) return ArrivalPurpose::view;
    return std::nullopt;
}

// The origin as the agent sees it; what it dialled stands in Host.
std::optional<ConcealedOrigin> origin_of(const RequestHead& request) {
    const auto authority = parse_authority(request.authority);
    if (!authority) return std::nullopt;
    return ConcealedOrigin{"https", authority->host_text(), authority->port.value_or(443)};
}

Result<> verify(const ConcealedProof& proof, const RequestHead& request, TlsTransport& tls) {
    const auto origin = origin_of(request);
    if (!origin) return fail(Errc::unauthorized, "no authority");
    const std::string context =
        concealed_exporter_context(as_octets(proof.key_id), as_octets(proof.public_key), *origin);
    const auto exported = tls.export_keying_material(kConcealedExporterLabel, as_octets(context), kConcealedExporterOctets);
    if (!exported) return fail(Errc::unauthorized, exported.error().detail);
    return verify_concealed_proof(proof, as_octets(proof.public_key), as_octets(*exported));
}

AdmissionRefusal reason_of(Errc code) {
    switch (code) {
        case Errc::timeout: return AdmissionRefusal::enrolment_expired;
        case Errc::conflict: return AdmissionRefusal::enrolment_used;
        case Errc::refused: return AdmissionRefusal::disabled;
        case Errc::unauthorized: return AdmissionRefusal::unknown_credential;
        default: return AdmissionRefusal::overload;
    }
}

int status_of(AdmissionRefusal reason) { return reason == AdmissionRefusal::overload ? 503 : 403; }

}  // namespace

// The connection of an agent whose credential the relay knows.
class Door::Admitted final : public TunnelDoor::Admission {
public:
    Admitted(Door& door, ProvenAgent agent, std::string websocket_key, SessionRequest session, ArrivalPurpose purpose)
        : door_(door), agent_(std::move(agent)), websocket_key_(std::move(websocket_key)), session_(std::move(session)), purpose_(purpose) {}
    void take(TransportPtr transport, std::string received) override {
        transport->set_owner(nullptr);
        door_.hand_over({std::move(agent_), std::move(websocket_key_), std::move(transport), std::move(received), std::move(session_), purpose_});
    }

private:
    Door& door_;
    ProvenAgent agent_;
    std::string websocket_key_;
    SessionRequest session_;
    ArrivalPurpose purpose_;
};

// The connection of an agent whose key has to be enrolled first: on the store's thread, on disk before the 101.
class Door::Enrolling final : public TunnelDoor::Admission {
public:
    Enrolling(Door& door, ProvenAgent agent, Secret secret, const store::AgentKey& key, std::string websocket_key)
        : door_(door), agent_(std::move(agent)), secret_(std::move(secret)), key_(key), websocket_key_(std::move(websocket_key)) {}

    void take(TransportPtr transport, std::string received) override {
        transport->set_owner(nullptr);
        auto arrival = std::make_shared<Arrival>(
            Arrival{std::move(agent_), std::move(websocket_key_), std::move(transport), std::move(received)});
        // The arrival is touched on its loop only; the job carries it there and back.
        auto job = [&door = door_, arrival, secret = std::move(secret_), key = key_](store::Store& store) mutable {
            auto redeemed = store.redeem_enrolment({arrival->agent.credential_id}, secret.reveal(), key, wall_now());
            if (redeemed) door.refresh_(store, *redeemed);
            door.here_.loop().post([&door, arrival = std::move(arrival), key, redeemed = std::move(redeemed)]() mutable {
                door.on_redeemed(*arrival, key, redeemed);
            });
        };
        if (auto submitted = door_.store_.submit(std::move(job)); !submitted) {
            door_.here_.counters().count(AdmissionRefusal::overload);
            arrival->refuse(503, AdmissionRefusal::overload);
        }
    }

private:
    Door& door_;
    ProvenAgent agent_;
    Secret secret_;
    store::AgentKey key_;
    std::string websocket_key_;
};

Door::Door(std::size_t loop_index, Agents& agents, store::StoreThread& store, Refresh refresh)
    : here_(agents.at(loop_index)), agents_(agents), store_(store), refresh_(std::move(refresh)) {}

std::unique_ptr<TunnelDoor::Admission> Door::judge(const RequestHead& request, TlsTransport* tls, Scheme scheme) {
    const auto authorization = request.fields.find(FieldId::authorization);
    if (!authorization || !purpose_of(request)) return nullptr;
    auto websocket_key = check_websocket_request(request);
    if (!websocket_key) return nullptr;
    if (scheme != Scheme::https) return refuse(AdmissionRefusal::no_tls);
    if (authorization->starts_with("Concealed ") && !tls) return refuse(AdmissionRefusal::no_tls);
    if (authorization->starts_with("Concealed ")) return judge_key(request, *authorization, tls, std::move(*websocket_key));
    const store::Credential* credential = judge_secret(*authorization);
    return credential ? admit(*credential, std::move(*websocket_key), request) : nullptr;
}

const store::Credential* Door::judge_secret(std::string_view authorization) {
    store::CredentialKind kind = store::CredentialKind::token;
    auto shown = parse_bearer(authorization);
    if (!shown) {
        kind = store::CredentialKind::device;
        shown = parse_basic(authorization);
    }
    if (!shown) return nullptr;  // not even ours to count: a visitor's own Authorization
    const store::Credential* known = here_.directory()->credential(shown->id);
    if (!known || known->kind != kind) return refuse(AdmissionRefusal::unknown_credential);
    if (!store::has_secret(*known, shown->secret.reveal())) return refuse(AdmissionRefusal::wrong_secret);
    return known;
}

std::unique_ptr<TunnelDoor::Admission> Door::judge_key(const RequestHead& request, std::string_view authorization,
                                                       TlsTransport* tls, std::string websocket_key) {
    const auto proof = parse_concealed(authorization);
    if (!proof || proof->public_key.size() != kEd25519KeyOctets) return nullptr;
    const Directory& directory = *here_.directory();

    // A key that is known needs no enrolment code, whatever it brings along.
    if (const store::Credential* known = directory.credential_of_key(as_octets(proof->public_key))) {
        if (!verify(*proof, request, *tls)) return refuse(AdmissionRefusal::wrong_proof);
        return admit(*known, std::move(websocket_key), request);
    }

    const auto enroll = request.fields.find("Sallyport-Enroll");
    if (!enroll || purpose_of(request) != ArrivalPurpose::tunnel) return refuse(AdmissionRefusal::unknown_credential);
    const auto code = parse_token(*enroll);
    const store::Credential* credential = code ? directory.credential(code->id) : nullptr;
    if (!credential || credential->kind != store::CredentialKind::enrolment)
        return refuse(AdmissionRefusal::unknown_credential);
    if (!store::has_secret(*credential, code->secret.reveal())) return refuse(AdmissionRefusal::wrong_secret);
    if (!verify(*proof, request, *tls)) return refuse(AdmissionRefusal::wrong_proof);
    const store::Agent* agent = directory.agent(credential->agent.text);
    if (!agent) return refuse(AdmissionRefusal::unknown_credential);
    store::AgentKey key;
    std::ranges::copy(as_octets(proof->public_key), key.begin());
    return std::make_unique<Enrolling>(*this, ProvenAgent{agent->id.text, agent->name, credential->id.text, {}}, code->secret, key,
                                       std::move(websocket_key));
}

std::unique_ptr<TunnelDoor::Admission> Door::admit(const store::Credential& credential, std::string websocket_key,
                                                   const RequestHead& request) {
    const store::Agent* agent = here_.directory()->agent(credential.agent.text);
    if (!agent) return refuse(AdmissionRefusal::unknown_credential);
    return std::make_unique<Admitted>(*this, ProvenAgent{agent->id.text, agent->name, credential.id.text, {}},
                                      std::move(websocket_key), SessionRequest::of(request), purpose_of(request).value_or(ArrivalPurpose::tunnel));
}

std::nullptr_t Door::refuse(AdmissionRefusal reason) {
    here_.counters().count(reason);
    return nullptr;
}

void Door::on_redeemed(Arrival& arrival, const store::AgentKey& key, const Result<store::AgentId>& redeemed) {
    const store::Credential* enrolled = redeemed ? here_.directory()->credential_of_key(key) : nullptr;
    if (!enrolled) {
        const AdmissionRefusal reason = redeemed ? AdmissionRefusal::overload : reason_of(redeemed.error().code);
        here_.counters().count(reason);
        here_.log().info("tunnel.refused", {{"agent", arrival.agent.name},
                                            {"reason", name_of(reason)},
                                            {"peer", arrival.transport->peer_address().ip()}});
        arrival.refuse(status_of(reason), reason);
        return;
    }
    here_.log().info("agent.enrolled", {{"agent", arrival.agent.name}, {"peer", arrival.transport->peer_address().ip()}});
    arrival.agent.credential_id = enrolled->id.text;
    hand_over(std::move(arrival));
}

// To the loop that owns the agent; TLS moves with the connection.
void Door::hand_over(Arrival arrival) {
    LoopAgents& home = agents_.at(agents_.owner_of(arrival.agent.agent_id));
    if (&home == &here_) return home.admit(std::move(arrival));
    if (!dynamic_cast<TlsTransport*>(arrival.transport.get())) {
        home.loop().post([&home, agent = std::move(arrival.agent), key = std::move(arrival.websocket_key),
                          parked = park_plain(*arrival.transport), received = std::move(arrival.received),
                          session = std::move(arrival.session), purpose = arrival.purpose]() mutable {
            home.admit({std::move(agent), std::move(key), unpark_plain(home.loop(), std::move(parked)), std::move(received),
                        std::move(session), purpose});
        });
        return;
    }
    auto parked = static_cast<TlsTransport&>(*arrival.transport).park();
    home.loop().post([&home, agent = std::move(arrival.agent), key = std::move(arrival.websocket_key), parked = std::move(parked),
                      received = std::move(arrival.received), session = std::move(arrival.session), purpose = arrival.purpose]() mutable {
        home.admit({std::move(agent), std::move(key), TlsTransport::unpark(home.loop(), std::move(parked)), std::move(received),
                    std::move(session), purpose});
    });
}

}  // namespace sallyport::relay
