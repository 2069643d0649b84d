// directory.h: what the relay knows from its store, ready to be asked: agents, credentials, routes. Immutable: every loop reads
// the same one, and each change of the store makes a new one (on the store's thread).
#pragma once
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/octets.h"
#include "edge/route_table.h"
#include "store/records.h"
#include "wire/control_message.h"

namespace sallyport::relay {

// Where visitors reach the relay, as far as URLs shown to people need it.
struct PublicPort {
    std::uint16_t port = 443;
    std::string suffix() const { return port == 443 ? "" : ":" + std::to_string(port); }
};

class Directory {
public:
    Directory(store::Snapshot snapshot, PublicPort port);

    // Null where there is none. Disabled agents are here too; revoked credentials are not.
    const store::Agent* agent(std::string_view agent_id) const;
    const store::Credential* credential(std::string_view credential_id) const;
    const store::Credential* credential_of_key(Octets public_key) const;

    const std::shared_ptr<const RouteTable>& routes() const { return routes_; }
    // The enabled routes of an agent as it is told them: public URL and target.
    const std::vector<RouteNotice>& notices(std::string_view agent_id) const;
    // Hostnames of all routes, wildcards included, each once.
    std::vector<std::string> hostnames() const;

private:
    struct Hash {
        using is_transparent = void;
        std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>{}(text); }
    };
    template <class Value>
    using Map = std::unordered_map<std::string, Value, Hash, std::equal_to<>>;

    Map<store::Agent> agents_;
    Map<store::Credential> credentials_;
    Map<std::string> key_credentials_;  // public key -> credential id
    Map<std::vector<RouteNotice>> notices_;
    std::shared_ptr<const RouteTable> routes_;
};
using DirectoryPtr = std::shared_ptr<const Directory>;

// "https://home.example.org/", with the port unless it is 443; a wildcard stays as it is.
std::string public_url_of(const store::Route& route, PublicPort port);

}  // namespace sallyport::relay
