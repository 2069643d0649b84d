// store.h: the relay's lasting state: accounts, agents, credentials, routes and an audit trail, in one SQLite file.
//
// Synchronous, one connection, one thread at a time: it waits for the disk, so no event loop calls it (store_thread.h).
// A change that returned a value is on the disk (WAL, synchronous=FULL): kill -9 at any moment loses none. Every
// change writes its audit row in the same transaction. One process at a time holds the file (lock beside it).
//
// Errors: not_found, conflict (exists already), invalid_argument (rules.h), newer_version, permission_denied, no_space,
// timeout (someone else holds the file), io (damaged, or the disk failed). After any error the state is as before.
#pragma once
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "store/records.h"

namespace sallyport::store {

class Database;

inline constexpr std::chrono::hours kEnrolmentLifetime{24};
inline constexpr std::chrono::hours kLongestOverlap{30 * 24};  // of old and new credential
inline constexpr std::size_t kMaxAuditEntries = 10'000;
inline constexpr std::size_t kMaxSshKeyLine = 16 * 1024;
inline constexpr std::size_t kMaxSshKeys = 64;  // of one agent, without revoked ones; arbitrary
inline constexpr std::size_t kMaxRoutePolicy = 64 * 1024;
inline constexpr std::string_view kDatabaseName = "relay.db";  // in the state folder

// Who changes something, and when. Goes into the audit trail.
struct Author {
    std::string actor{};
    WallTime at;
};

struct RouteSpec {
    std::string hostname{};
    std::string path_prefix = "/";
    std::string target = "homeassistant";
    Enabled enabled = Enabled::yes;
    bool strip_prefix = false;
    bool preserve_host = true;
    ForwardClientIp forward_client_ip = ForwardClientIp::automatic;
    std::optional<std::chrono::milliseconds> request_timeout{};
    std::string policy = "{}";  // a JSON object that has been checked; at most kMaxRoutePolicy
    std::string health_path{};
};

// What `route set` changes; what is unset stays.
struct RouteChange {
    std::optional<std::string> target{};
    std::optional<std::string> agent{};  // name
    std::optional<Enabled> enabled{};
    std::optional<bool> strip_prefix{};
    std::optional<bool> preserve_host{};
    std::optional<ForwardClientIp> forward_client_ip{};
    std::optional<std::optional<std::chrono::milliseconds>> request_timeout{};  // the inner one: back to the agent's own
    std::optional<std::string> policy{};       // whole
    std::optional<std::string> health_path{};  // empty: none any more
};

// `listen` and `allow` in the form that is to be compared: who asks has read them (relay/tcp_ports.h).
struct TcpRouteSpec {
    std::string listen{};
    std::string target{};
    Enabled enabled = Enabled::yes;
    bool tls = false;
    bool proxy_protocol = false;
    std::vector<std::string> allow{};
};

// What is absent stays.
struct TcpRouteChange {
    std::optional<std::string> agent{};
    std::optional<std::string> target{};
    std::optional<Enabled> enabled{};
    std::optional<bool> tls{};
    std::optional<bool> proxy_protocol{};
    std::optional<std::vector<std::string>> allow{};
};

struct AgentSpec {
    std::string name{};
    std::optional<std::uint32_t> concurrency_limit{};
    std::vector<ProposedTarget> proposed_targets{};
    std::vector<RouteSpec> routes{};                          // made in the same transaction
    CredentialKind credential = CredentialKind::enrolment;  // enrolment, token or device
};

struct AddedAgent {
    Agent agent;
    std::vector<Route> routes{};
    IssuedCredential issued;
};

// A small file of the state folder that a backup carries along (keys, certificates, configuration).
struct BackupFile {
    std::string path{};  // relative, "/" between folders, never ".."
    unsigned mode = 0600;
    std::string content{};  // at most kMaxBackupFile
};
inline constexpr std::size_t kMaxBackupFile = 1 << 20;
inline constexpr std::size_t kMaxBackupFiles = 1000;

class Store {
public:
    // Opens the file, or makes it (0600; the folder must exist), and brings its tables up to date.
    // Errc::conflict: another process has it open.
    static Result<std::unique_ptr<Store>> open(const std::filesystem::path& database, const Author& author);
    ~Store();
    Store(const Store&) = delete;
    Store& operator=(const Store&) = delete;

    // Agents. Names are unique; every function but add_agent answers not_found for an unknown one.
    Result<AddedAgent> add_agent(const AgentSpec& spec, const Author& author);
    Result<std::vector<Agent>> list_agents();  // by name
    Result<Agent> find_agent(std::string_view name);
    Result<Agent> find_agent(const AgentId& id);
    Result<Agent> set_agent_enabled(std::string_view name, Enabled enabled, const Author& author);
    Result<Agent> set_agent_limit(std::string_view name, std::optional<std::uint32_t> limit, const Author& author);
    Result<Agent> remove_agent(std::string_view name, const Author& author);  // and its credentials and routes
    // Issues one new credential and revokes everything else the agent could prove itself with: at once, or `keep_old` from now
    // (at most kLongestOverlap), when whoever runs the store has to revoke it (list_retiring). Enrolment codes go at once.
    Result<IssuedCredential> rotate_agent(std::string_view name, CredentialKind kind, std::chrono::seconds keep_old, const Author& author);
    Result<> note_takeover(std::string_view name, std::string_view by, const Author& author);  // audited, nothing else
    Result<> note_agents_seen(std::span<const AgentId> agents, WallTime at);  // unknown ids are passed over; not audited

    // Credentials.
    Result<std::vector<Credential>> list_credentials(const AgentId& agent);  // oldest first, revoked ones too
    Result<std::vector<Credential>> list_retiring();  // not revoked yet, but with a time for it; soonest first
    Result<IssuedCredential> issue_credential(std::string_view agent, CredentialKind kind, const Author& author);
    Result<Credential> enrol_key(std::string_view agent, const AgentKey& key, const Author& author);  // pasted by the owner
    // `same`: the octets of an Ed25519 key, which may be known as an agent's own.
    //   conflict  it is enrolled already (an agent's own key serves SSH, too)
    //   refused   it was revoked
    //   too_large the agent has kMaxSshKeys, or the line is longer than kMaxSshKeyLine
    Result<Credential> enrol_ssh_key(std::string_view agent, const SshKey& key, const std::optional<AgentKey>& same, const Author& author);
    Result<bool> has_ssh_keys();  // any that isn't revoked, of any agent
    Result<> revoke_credential(const CredentialId& id, const Author& author);

    // Trades a one-time secret for an enrolled key: binds the code to the first key and enrols that key, in one
    // transaction. The same key may repeat the trade at any later time (its answer was lost).
    //   unauthorized  unknown id, another kind of credential, or wrong secret
    //   timeout       expired before its first use
    //   conflict      used by another key, or this key is another agent's
    //   refused       code or key revoked, or the agent disabled
    Result<AgentId> redeem_enrolment(const CredentialId& id, std::string_view secret, const AgentKey& key, WallTime now);

    // Who is this? unauthorized: unknown, wrong or revoked; refused: the agent is disabled.
    Result<AgentId> find_key(const AgentKey& key);
    Result<AgentId> check_token(std::string_view api_key);
    Result<AgentId> check_device(const CredentialId& device_id, std::string_view secret);

    // Routes. conflict: another route has this hostname and prefix.
    Result<Route> add_route(std::string_view agent, const RouteSpec& spec, const Author& author);
    Result<std::vector<Route>> list_routes();  // by hostname, then prefix
    Result<std::vector<Route>> list_routes(const AgentId& agent);
    Result<Route> find_route(const RouteId& id);
    Result<Route> find_route(std::string_view hostname, std::string_view path_prefix);
    Result<Route> set_route(const RouteId& id, const RouteChange& change, const Author& author);
    Result<Route> remove_route(const RouteId& id, const Author& author);

    // TCP routes. conflict: another one listens there.
    Result<TcpRoute> add_tcp_route(std::string_view agent, const TcpRouteSpec& spec, const Author& author);
    Result<std::vector<TcpRoute>> list_tcp_routes();  // by listen
    Result<TcpRoute> find_tcp_route(const RouteId& id);
    Result<TcpRoute> set_tcp_route(const RouteId& id, const TcpRouteChange& change, const Author& author);
    Result<TcpRoute> remove_tcp_route(const RouteId& id, const Author& author);

    Result<Snapshot> load_snapshot();
    Result<Snapshot> load_snapshot(const AgentId& agent);  // what is in it of one agent; nothing if it was removed
    Result<std::vector<AuditEntry>> list_audit(std::size_t limit);  // newest first

    // Small facts that outlive a restart, like the relay's own id.
    Result<std::optional<std::string>> get_meta(std::string_view key);
    Result<> set_meta(std::string_view key, std::string_view value);

    // Writes a consistent copy with the files beside it into one new file (0600; conflict if it exists): all that
    // a new server needs. Other threads' changes wait meanwhile. It holds private keys as they are.
    Result<> backup_to(const std::filesystem::path& backup, std::span<const BackupFile> files, const Author& author);

private:
    explicit Store(std::unique_ptr<Database> database);
    std::unique_ptr<Database> database_;
};

enum class Replace { no, yes };

struct Restored {
    std::vector<std::string> files{};                      // relative to the state folder
    std::optional<std::filesystem::path> replaced_kept{};  // folder with what was there before
};

// Puts the database and files of a backup into the state folder (made 0700 if absent). No relay may be running there
// (conflict). Replace::no: conflict if there is a database already; Replace::yes: what is there is kept in a folder
// beside. The backup is checked whole before anything changes.
Result<Restored> restore_backup(const std::filesystem::path& backup, const std::filesystem::path& state_dir,
                                Replace replace, const Author& author);

}  // namespace sallyport::store
