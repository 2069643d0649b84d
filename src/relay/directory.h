// directory.h: what the relay knows from its store, ready to be asked: agents, credentials, routes. Every loop reads the same
// one, which doesn't change; each change of the store makes the next one (on the store's thread) out of this one and what
// changed of one agent. They share all the rest, so a change costs the same with ten agents and with ten thousand.
#pragma once
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/octets.h"
#include "base/shared_map.h"
#include "edge/route_table.h"
#include "relay/health_check.h"
#include "relay/revoked.h"
#include "relay/ssh_forward_rules.h"
#include "store/records.h"
#include "wire/control_message.h"
#include "wire/ssh_public_key.h"

namespace sallyport::relay {

// Where visitors reach the relay, as far as URLs shown to people need it.
struct PublicPort {
    std::uint16_t port = 443;
    std::string suffix() const { return port == 443 ? "" : ":" + std::to_string(port); }
    friend bool operator==(const PublicPort&, const PublicPort&) = default;
};

class Directory {
public:
    Directory(store::Snapshot snapshot, PublicPort port);

    // In a copy, before it is shown to anybody: what the store now has of one agent (Store::load_snapshot(id)) instead of what
    // was known of it. Without the agent in it, the agent is gone.
    void replace(const store::AgentId& agent, store::Snapshot part);

    // What `before` allowed and this one doesn't: of all agents, or of those that changed.
    Revoked revoked_since(const Directory& before, const std::vector<store::AgentId>* changed) const;

    // Null where there is none. Disabled agents are here too; revoked credentials are not.
    const store::Agent* agent(std::string_view agent_id) const;
    const store::Credential* credential(std::string_view credential_id) const;
    const store::Credential* credential_of_key(Octets public_key) const;
    // Of an SSH client: an SSH key's, else that of the agent whose own key this is.
    const store::Credential* credential_of_ssh_key(const SshPublicKey& key) const;

    const std::shared_ptr<const RouteTable>& routes() const { return routes_; }
    // The enabled routes of an agent as it is told them: public URL and target.
    const std::vector<RouteNotice>& notices(std::string_view agent_id) const;
    // How each enabled route of an agent is looked after, TCP routes too.
    const std::vector<HealthCheck>& health_checks(std::string_view agent_id) const;
    // The same, as SSH clients ask for them.
    const std::vector<OwnedRoute>& owned_routes(std::string_view agent_id) const;
    // Hostnames of all routes, wildcards included, each once; or those of one agent.
    std::vector<std::string> hostnames() const { return routes_->hostnames(); }
    std::vector<std::string> hostnames(std::string_view agent_id) const;
    PublicPort port() const { return port_; }

private:
    using CredentialPtr = std::shared_ptr<const store::Credential>;
    struct Known {  // all that is kept of one agent, but its routes
        store::Agent agent;
        std::vector<CredentialPtr> credentials;
        std::vector<RouteNotice> notices;
        std::vector<std::string> hostnames;  // of its routes, each once
        std::vector<HealthCheck> health_checks{};
        std::vector<OwnedRoute> owned{};
    };
    static void take_tcp_routes(Known& known, const std::vector<store::TcpRoute>& stored);
    static std::vector<Route> take_routes(Known& known, const std::vector<store::Route>& stored, PublicPort port);

    PublicPort port_;
    SharedMap<Known> agents_;
    SharedMap<CredentialPtr> credentials_;  // by id
    SharedMap<CredentialPtr> keys_;         // by public key, SSH keys by fingerprint
    std::shared_ptr<const RouteTable> routes_;
};
using DirectoryPtr = std::shared_ptr<const Directory>;

// "https://home.example.org/", with the port unless it is 443; a wildcard stays as it is.
std::string public_url_of(const store::Route& route, PublicPort port);

}  // namespace sallyport::relay
