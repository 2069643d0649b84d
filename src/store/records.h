// records.h: what the store keeps, as plain values. Names, hostnames and prefixes in here have passed rules.h.
// Times are wall clock, in seconds. No record holds a secret: a credential keeps the hash of one.
#pragma once
#include <array>
#include <chrono>
#include <compare>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/octets.h"
#include "base/secret.h"

namespace sallyport::store {

// An id is 13 characters of lower-case base32 (64 random bits), made by the store and never used again.
template <class Tag>
struct Id {
    std::string text;
    friend auto operator<=>(const Id&, const Id&) = default;
};
using AgentId = Id<struct AgentTag>;
using RouteId = Id<struct RouteTag>;
using CredentialId = Id<struct CredentialTag>;

// An Ed25519 public key as RFC 8032 5.1.2 encodes it.
using AgentKey = std::array<std::byte, 32>;

enum class Enabled { no, yes };

struct ProposedTarget {  // an enrolment code carries it; the agent's owner accepts or refuses it
    std::string name{};
    std::string url{};  // scheme://host:port
    friend bool operator==(const ProposedTarget&, const ProposedTarget&) = default;
};

struct Agent {
    AgentId id{};
    std::string name{};  // unique; one DNS label, so it can stand before base_domain
    Enabled enabled = Enabled::yes;
    WallTime created_at{};
    std::optional<WallTime> last_seen_at{};            // last time its tunnel was known to be up
    std::optional<std::uint32_t> concurrency_limit{};  // the relay's own cap on requests in flight; the agent may announce less
    std::vector<ProposedTarget> proposed_targets{};
    friend bool operator==(const Agent&, const Agent&) = default;
};

enum class CredentialKind {
    ed25519,    // the agent's own key, proved by RFC 9729
    token,      // api_key: "<credential id>.<secret>"
    device,     // device_id (the credential id) and secret
    enrolment,  // one-time secret that trades for an ed25519 credential
    ssh_key,    // of an SSH client, proved by publickey authentication (RFC 4252 7)
};

// An SSH public key. The store compares fingerprints and doesn't look into the line.
struct SshKey {
    std::string fingerprint{};  // "SHA256:…"; unique, revoked ones included
    std::string line{};         // of authorized_keys: options, key, comment
    friend bool operator==(const SshKey&, const SshKey&) = default;
};

struct Credential {
    CredentialId id{};
    AgentId agent{};
    CredentialKind kind = CredentialKind::ed25519;
    std::optional<AgentKey> public_key{};      // ed25519 only
    std::optional<SshKey> ssh_key{};           // ssh_key only
    std::string secret_hash{};                 // all other kinds: hex SHA-256 of the secret
    WallTime created_at{};
    std::optional<WallTime> expires_at{};      // enrolment only
    std::optional<WallTime> used_at{};         // enrolment only: when it was traded
    std::optional<AgentKey> bound_key{};       // enrolment only: the one key that may repeat the trade
    std::optional<WallTime> retires_at{};      // replaced by a newer one, and works beside it until then; the relay then revokes it
    bool revoked = false;
    friend bool operator==(const Credential&, const Credential&) = default;
};

// A credential just made. The secret exists here and nowhere else: it is shown once.
struct IssuedCredential {
    Credential credential;
    Secret secret;  // 22 characters of base64url: 128 random bits
};

enum class ForwardClientIp { automatic, always, never };

struct Route {
    RouteId id{};
    std::string hostname{};           // lower case; or "*." and a name: any one label before it
    std::string path_prefix = "/";  // "/" or "/a/b" without a slash at the end; matches on segment borders
    AgentId agent{};
    std::string target = "homeassistant";
    Enabled enabled = Enabled::yes;
    bool strip_prefix = false;
    bool preserve_host = true;
    ForwardClientIp forward_client_ip = ForwardClientIp::automatic;
    std::optional<std::chrono::milliseconds> request_timeout{};  // unset: the agent's own
    std::string policy = "{}";  // a JSON object; edge/route_policy_json.h reads it
    std::string health_path{};  // what a probe of the target asks for, as the service sees it; empty: a probe only connects
    WallTime created_at{};
    friend bool operator==(const Route&, const Route&) = default;
};

// A public TCP port and where it leads.
struct TcpRoute {
    RouteId id{};
    std::string listen{};  // ":1883", "127.0.0.1:1883"; unique
    AgentId agent{};
    std::string target{};
    Enabled enabled = Enabled::yes;
    bool tls = false;             // ends at the relay
    bool proxy_protocol = false;  // the target is told the visitor's address
    std::vector<std::string> allow{};  // networks; empty: everybody
    WallTime created_at{};
    friend bool operator==(const TcpRoute&, const TcpRoute&) = default;
};

struct AuditEntry {
    std::int64_t id = 0;  // rising
    WallTime at{};
    std::string actor{};    // who: "admin-socket", "enrolment", "relay"
    std::string action{};   // what: "agent.add", "route.remove"
    std::string subject{};  // the agent's name, the route's hostname and prefix
    std::string detail{};
};

// Everything the relay routes and authenticates by, read in one transaction.
struct Snapshot {
    std::vector<Agent> agents{};
    std::vector<Credential> credentials{};  // without revoked ones
    std::vector<Route> routes{};
    std::vector<TcpRoute> tcp_routes{};
};

}  // namespace sallyport::store

template <class Tag>
struct std::hash<sallyport::store::Id<Tag>> {
    std::size_t operator()(const sallyport::store::Id<Tag>& id) const noexcept { return std::hash<std::string>{}(id.text); }
};
