#include "store/rows.h"

#include <algorithm>
#include <map>

#include "base/encoding.h"
#include "base/random.h"
#include "store/credential.h"
#include "store/database.h"
#include "store/rules.h"

namespace sallyport::store {
namespace {

constexpr std::size_t kMaxAuditText = 1024;  // per field; arbitrary, so that the bounded trail is bounded in octets too

// A column that may be NULL. SOCI binds it by address: it outlives the statement.
template <class T>
struct Nullable {
    T value{};
    soci::indicator state = soci::i_null;

    Nullable() = default;
    template <class From>
    explicit Nullable(const std::optional<From>& from) {
        if (!from) return;
        value = static_cast<T>(*from);
        state = soci::i_ok;
    }
    bool has_value() const { return state == soci::i_ok; }
};

long long to_seconds(WallTime at) { return at.time_since_epoch().count(); }
WallTime to_time(long long seconds) { return WallTime(std::chrono::seconds(seconds)); }

std::optional<long long> to_seconds(const std::optional<WallTime>& at) {
    return at ? std::optional(to_seconds(*at)) : std::nullopt;
}
std::optional<WallTime> to_time(const Nullable<long long>& column) {
    return column.has_value() ? std::optional(to_time(column.value)) : std::nullopt;
}

std::optional<std::string> to_text(const std::optional<AgentKey>& key) {
    return key ? std::optional(to_base64url(*key)) : std::nullopt;
}
std::optional<AgentKey> to_key(const Nullable<std::string>& column) {
    if (!column.has_value()) return std::nullopt;
    const auto octets = from_base64url(column.value);
    AgentKey key{};
    if (!octets || octets->size() != key.size()) throw DamagedRow("credentials: unreadable key");
    std::ranges::copy(as_octets(*octets), key.begin());
    return key;
}

CredentialKind to_kind(std::string_view text) {
    for (const auto kind : {CredentialKind::ed25519, CredentialKind::token, CredentialKind::device, CredentialKind::enrolment, CredentialKind::ssh_key})
        if (name_of(kind) == text) return kind;
    throw DamagedRow("credentials: unknown kind");
}

ForwardClientIp to_forward_client_ip(std::string_view text) {
    if (const auto value = parse_forward_client_ip(text)) return *value;
    throw DamagedRow("routes: unknown forward_client_ip");
}

Enabled to_enabled(int value) { return value != 0 ? Enabled::yes : Enabled::no; }
int to_int(Enabled value) { return value == Enabled::yes ? 1 : 0; }

// Runs a select whose result columns are bound already, and calls take() for each row.
template <class Take>
void for_each_row(soci::statement& statement, const std::string& query, const std::string& value, Take take) {
    if (query.contains(":value")) statement.exchange(soci::use(value));
    statement.alloc();
    statement.prepare(query);
    statement.define_and_bind();
    statement.execute();
    while (statement.fetch()) take();
}

// The targets of one agent; or, for "", of all of them: read whole rather than once for each agent.
std::map<std::string, std::vector<ProposedTarget>> select_proposed_targets(soci::session& sql, const std::string& of) {
    std::map<std::string, std::vector<ProposedTarget>> found;
    std::string agent;
    ProposedTarget target;
    soci::statement statement(sql);
    statement.exchange(soci::into(agent));
    statement.exchange(soci::into(target.name));
    statement.exchange(soci::into(target.url));
    const std::string condition = of.empty() ? "" : "where agent_id = :value ";
    for_each_row(statement, "select agent_id, name, url from proposed_targets " + condition + "order by agent_id, name", of,
                 [&] { found[agent].push_back(target); });
    return found;
}

}  // namespace

std::string new_id() {
    constexpr std::string_view alphabet = "abcdefghijklmnopqrstuvwxyz234567";
    std::uint64_t bits = 0;
    fill_random(std::as_writable_bytes(std::span(&bits, 1)));
    std::string id;
    for (int digit = 0; digit < 13; ++digit, bits >>= 5) id += alphabet[bits & 31];
    return id;
}

std::vector<Agent> select_agents(soci::session& sql, std::string_view condition, const std::string& value) {
    std::vector<Agent> found;
    Agent agent;
    int enabled = 0;
    long long created_at = 0;
    Nullable<long long> last_seen_at, concurrency_limit;
    soci::statement statement(sql);
    statement.exchange(soci::into(agent.id.text));
    statement.exchange(soci::into(agent.name));
    statement.exchange(soci::into(enabled));
    statement.exchange(soci::into(created_at));
    statement.exchange(soci::into(last_seen_at.value, last_seen_at.state));
    statement.exchange(soci::into(concurrency_limit.value, concurrency_limit.state));
    const std::string query = "select id, name, enabled, created_at, last_seen_at, concurrency_limit from agents " + std::string(condition);
    for_each_row(statement, query, value, [&] {
        agent.enabled = to_enabled(enabled);
        agent.created_at = to_time(created_at);
        agent.last_seen_at = to_time(last_seen_at);
        agent.concurrency_limit.reset();
        if (concurrency_limit.has_value()) agent.concurrency_limit = static_cast<std::uint32_t>(concurrency_limit.value);
        found.push_back(agent);
    });
    if (found.empty()) return found;
    auto targets = select_proposed_targets(sql, found.size() == 1 ? found.front().id.text : "");
    for (Agent& each : found) each.proposed_targets = std::move(targets[each.id.text]);
    return found;
}

std::vector<Credential> select_credentials(soci::session& sql, std::string_view condition, const std::string& value) {
    std::vector<Credential> found;
    Credential credential;
    std::string kind;
    long long created_at = 0;
    int revoked = 0;
    Nullable<std::string> public_key, secret_hash, bound_key, ssh_fingerprint, ssh_line;
    Nullable<long long> expires_at, used_at, retires_at;
    soci::statement statement(sql);
    statement.exchange(soci::into(credential.id.text));
    statement.exchange(soci::into(credential.agent.text));
    statement.exchange(soci::into(kind));
    statement.exchange(soci::into(public_key.value, public_key.state));
    statement.exchange(soci::into(secret_hash.value, secret_hash.state));
    statement.exchange(soci::into(created_at));
    statement.exchange(soci::into(expires_at.value, expires_at.state));
    statement.exchange(soci::into(used_at.value, used_at.state));
    statement.exchange(soci::into(bound_key.value, bound_key.state));
    statement.exchange(soci::into(retires_at.value, retires_at.state));
    statement.exchange(soci::into(revoked));
    statement.exchange(soci::into(ssh_fingerprint.value, ssh_fingerprint.state));
    statement.exchange(soci::into(ssh_line.value, ssh_line.state));
    const std::string query =
        "select id, agent_id, kind, public_key, secret_hash, created_at, expires_at, used_at, bound_key, retires_at, revoked, ssh_fingerprint, ssh_line from credentials " +
        std::string(condition);
    for_each_row(statement, query, value, [&] {
        credential.kind = to_kind(kind);
        credential.public_key = to_key(public_key);
        credential.secret_hash = secret_hash.has_value() ? secret_hash.value : std::string();
        credential.created_at = to_time(created_at);
        credential.expires_at = to_time(expires_at);
        credential.used_at = to_time(used_at);
        credential.bound_key = to_key(bound_key);
        credential.retires_at = to_time(retires_at);
        credential.revoked = revoked != 0;
        credential.ssh_key.reset();
        if (ssh_fingerprint.has_value()) credential.ssh_key = SshKey{ssh_fingerprint.value, ssh_line.value};
        found.push_back(credential);
    });
    return found;
}

std::vector<Route> select_routes(soci::session& sql, std::string_view condition, const std::string& value) {
    std::vector<Route> found;
    Route route;
    int enabled = 0, strip_prefix = 0, preserve_host = 0;
    std::string forward_client_ip;
    Nullable<long long> request_timeout_ms;
    Nullable<std::string> health_path;
    long long created_at = 0;
    soci::statement statement(sql);
    statement.exchange(soci::into(route.id.text));
    statement.exchange(soci::into(route.hostname));
    statement.exchange(soci::into(route.path_prefix));
    statement.exchange(soci::into(route.agent.text));
    statement.exchange(soci::into(route.target));
    statement.exchange(soci::into(enabled));
    statement.exchange(soci::into(strip_prefix));
    statement.exchange(soci::into(preserve_host));
    statement.exchange(soci::into(forward_client_ip));
    statement.exchange(soci::into(request_timeout_ms.value, request_timeout_ms.state));
    statement.exchange(soci::into(health_path.value, health_path.state));
    statement.exchange(soci::into(route.policy));
    statement.exchange(soci::into(created_at));
    const std::string query =
        "select id, hostname, path_prefix, agent_id, target, enabled, strip_prefix, preserve_host, forward_client_ip,"
        " request_timeout_ms, health_path, policy, created_at from routes " +
        std::string(condition);
    for_each_row(statement, query, value, [&] {
        route.enabled = to_enabled(enabled);
        route.strip_prefix = strip_prefix != 0;
        route.preserve_host = preserve_host != 0;
        route.forward_client_ip = to_forward_client_ip(forward_client_ip);
        route.request_timeout.reset();
        if (request_timeout_ms.has_value()) route.request_timeout = std::chrono::milliseconds(request_timeout_ms.value);
        route.health_path = health_path.has_value() ? health_path.value : std::string();
        route.created_at = to_time(created_at);
        found.push_back(route);
    });
    return found;
}

void insert_agent(soci::session& sql, const Agent& agent) {
    const int enabled = to_int(agent.enabled);
    const long long created_at = to_seconds(agent.created_at);
    Nullable<long long> limit(agent.concurrency_limit);
    sql << "insert into agents (id, account_id, name, enabled, created_at, concurrency_limit)"
           " values (:id, 'default', :name, :enabled, :created_at, :limit)",
        soci::use(agent.id.text), soci::use(agent.name), soci::use(enabled), soci::use(created_at),
        soci::use(limit.value, limit.state);
    for (const ProposedTarget& target : agent.proposed_targets)
        sql << "insert into proposed_targets (agent_id, name, url) values (:agent, :name, :url)", soci::use(agent.id.text),
            soci::use(target.name), soci::use(target.url);
}

void update_agent(soci::session& sql, const Agent& agent) {
    const int enabled = to_int(agent.enabled);
    Nullable<long long> last_seen_at(to_seconds(agent.last_seen_at)), limit(agent.concurrency_limit);
    sql << "update agents set enabled = :enabled, last_seen_at = :seen, concurrency_limit = :limit where id = :id",
        soci::use(enabled), soci::use(last_seen_at.value, last_seen_at.state), soci::use(limit.value, limit.state),
        soci::use(agent.id.text);
}

void insert_credential(soci::session& sql, const Credential& credential) {
    const std::string kind{name_of(credential.kind)};
    const long long created_at = to_seconds(credential.created_at);
    Nullable<std::string> public_key(to_text(credential.public_key));
    Nullable<std::string> secret_hash(credential.secret_hash.empty() ? std::nullopt : std::optional(credential.secret_hash));
    Nullable<long long> expires_at(to_seconds(credential.expires_at));
    Nullable<std::string> ssh_fingerprint(credential.ssh_key ? std::optional(credential.ssh_key->fingerprint) : std::nullopt);
    Nullable<std::string> ssh_line(credential.ssh_key ? std::optional(credential.ssh_key->line) : std::nullopt);
    sql << "insert into credentials (id, agent_id, kind, public_key, secret_hash, created_at, expires_at, revoked, ssh_fingerprint, ssh_line)"
           " values (:id, :agent, :kind, :key, :hash, :created_at, :expires_at, 0, :fingerprint, :line)",
        soci::use(credential.id.text), soci::use(credential.agent.text), soci::use(kind),
        soci::use(public_key.value, public_key.state), soci::use(secret_hash.value, secret_hash.state), soci::use(created_at),
        soci::use(expires_at.value, expires_at.state), soci::use(ssh_fingerprint.value, ssh_fingerprint.state), soci::use(ssh_line.value, ssh_line.state);
}

void update_credential(soci::session& sql, const Credential& credential) {
    Nullable<long long> used_at(to_seconds(credential.used_at));
    Nullable<std::string> bound_key(to_text(credential.bound_key));
    Nullable<long long> retires_at(to_seconds(credential.retires_at));
    const int revoked = credential.revoked ? 1 : 0;
    sql << "update credentials set used_at = :used_at, bound_key = :bound_key, retires_at = :retires, revoked = :revoked where id = :id",
        soci::use(used_at.value, used_at.state), soci::use(bound_key.value, bound_key.state),
        soci::use(retires_at.value, retires_at.state), soci::use(revoked), soci::use(credential.id.text);
}

void insert_route(soci::session& sql, const Route& route) {
    const long long created_at = to_seconds(route.created_at);
    sql << "insert into routes (id, account_id, hostname, path_prefix, agent_id, target, enabled, strip_prefix, preserve_host,"
           " forward_client_ip, created_at)"
           " values (:id, 'default', :hostname, :prefix, :agent, :target, 0, 0, 0, 'auto', :created_at)",
        soci::use(route.id.text), soci::use(route.hostname), soci::use(route.path_prefix), soci::use(route.agent.text),
        soci::use(route.target), soci::use(created_at);
    update_route(sql, route);
}

void update_route(soci::session& sql, const Route& route) {
    const int enabled = to_int(route.enabled), strip_prefix = route.strip_prefix ? 1 : 0, preserve_host = route.preserve_host ? 1 : 0;
    const std::string forward_client_ip{name_of(route.forward_client_ip)};
    Nullable<std::string> health_path(route.health_path.empty() ? std::nullopt : std::optional(route.health_path));
    Nullable<long long> timeout(route.request_timeout ? std::optional(route.request_timeout->count()) : std::nullopt);
    sql << "update routes set agent_id = :agent, target = :target, enabled = :enabled, strip_prefix = :strip,"
           " preserve_host = :preserve, forward_client_ip = :forward, request_timeout_ms = :timeout, health_path = :health, policy = :policy where id = :id",
        soci::use(route.agent.text), soci::use(route.target), soci::use(enabled), soci::use(strip_prefix),
        soci::use(preserve_host), soci::use(forward_client_ip), soci::use(timeout.value, timeout.state), soci::use(health_path.value, health_path.state), soci::use(route.policy),
        soci::use(route.id.text);
}

void write_audit(soci::session& sql, const Author& author, std::string_view action, std::string_view subject,
                 std::string_view detail) {
    long long id = 0;
    sql << "select coalesce(max(id), 0) + 1 from audit", soci::into(id);
    const long long at = to_seconds(author.at);
    const std::string actor = author.actor.substr(0, kMaxAuditText);
    const std::string action_text{action}, subject_text{subject.substr(0, kMaxAuditText)}, detail_text{detail.substr(0, kMaxAuditText)};
    sql << "insert into audit (id, at, actor, action, subject, detail) values (:id, :at, :actor, :action, :subject, :detail)",
        soci::use(id), soci::use(at), soci::use(actor), soci::use(action_text), soci::use(subject_text), soci::use(detail_text);
    const long long oldest = id - static_cast<long long>(kMaxAuditEntries);
    sql << "delete from audit where id <= :oldest", soci::use(oldest);
}

std::vector<AuditEntry> select_audit(soci::session& sql, std::size_t limit) {
    std::vector<AuditEntry> found;
    AuditEntry entry;
    long long id = 0, at = 0;
    soci::statement statement(sql);
    statement.exchange(soci::into(id));
    statement.exchange(soci::into(at));
    statement.exchange(soci::into(entry.actor));
    statement.exchange(soci::into(entry.action));
    statement.exchange(soci::into(entry.subject));
    statement.exchange(soci::into(entry.detail));
    const std::string count = std::to_string(std::min(limit, kMaxAuditEntries));
    for_each_row(statement, "select id, at, actor, action, subject, detail from audit order by id desc limit " + count, {}, [&] {
        entry.id = id;
        entry.at = to_time(at);
        found.push_back(entry);
    });
    return found;
}

}  // namespace sallyport::store
