// The part of Store that deals with credentials.
#include "base/encoding.h"
#include "base/random.h"
#include "store/changes.h"
#include "store/credential.h"
#include "store/database.h"

namespace sallyport::store {
namespace {

constexpr std::size_t kSecretOctets = 16;  // 128 bits

std::optional<Credential> find_credential(soci::session& sql, const CredentialId& id) {
    auto found = select_credentials(sql, "where id = :value", id.text);
    if (found.empty()) return std::nullopt;
    return std::move(found.front());
}

std::optional<Credential> find_by_key(soci::session& sql, const AgentKey& key) {
    auto found = select_credentials(sql, "where public_key = :value", to_base64url(key));
    if (found.empty()) return std::nullopt;
    return std::move(found.front());
}

// A key is enrolled once: not for two agents, and never again after it was revoked (a thief may still have it).
Result<> may_enrol(soci::session& sql, const AgentKey& key) {
    const auto known = find_by_key(sql, key);
    if (!known) return {};
    if (known->revoked) return fail(Errc::refused, "this key was revoked; let the agent make a new one");
    return fail(Errc::conflict, "this key is enrolled already");
}

Result<> may_enrol(soci::session& sql, const SshKey& key, const std::optional<AgentKey>& same) {
    if (same)
        if (auto allowed = may_enrol(sql, *same); !allowed) return allowed;
    const auto known = select_credentials(sql, "where ssh_fingerprint = :value", key.fingerprint);
    if (known.empty()) return {};
    if (known.front().revoked) return fail(Errc::refused, "this key was revoked; make a new one");
    return fail(Errc::conflict, "this key is enrolled already");
}

Credential insert_key(soci::session& sql, const AgentId& agent, const AgentKey& key, WallTime now) {
    Credential credential{.id = {new_id()}, .agent = agent, .kind = CredentialKind::ed25519, .public_key = key, .created_at = now};
    insert_credential(sql, credential);
    return credential;
}

std::string describe(const Credential& credential) { return std::string(name_of(credential.kind)) + " " + credential.id.text; }

void revoke(soci::session& sql, Credential credential) {
    credential.revoked = true;
    update_credential(sql, credential);
}

Result<AgentId> enabled_agent(soci::session& sql, const AgentId& id) {
    const auto agent = get_agent(sql, id);
    if (!agent) return std::unexpected(agent.error());
    if (agent->enabled == Enabled::no) return fail(Errc::refused, "agent " + agent->name + " is disabled");
    return agent->id;
}

// The second trade of a code: right only for the key of the first, while that key counts.
Result<AgentId> repeat_trade(soci::session& sql, const Credential& code, const AgentKey& key) {
    if (code.bound_key != key) return fail(Errc::conflict, "enrolment code was used by another key");
    const auto enrolled = find_by_key(sql, key);
    if (!enrolled || enrolled->revoked) return fail(Errc::refused, "the key of this enrolment code was revoked");
    return enabled_agent(sql, code.agent);
}

Result<AgentId> first_trade(soci::session& sql, Credential code, const AgentKey& key, WallTime now) {
    if (code.expires_at && *code.expires_at <= now) return fail(Errc::timeout, "enrolment code has expired");
    auto agent = enabled_agent(sql, code.agent);
    if (!agent) return agent;
    if (auto allowed = may_enrol(sql, key); !allowed) return std::unexpected(allowed.error());
    insert_key(sql, code.agent, key, now);
    code.used_at = now;
    code.bound_key = key;
    update_credential(sql, code);
    write_audit(sql, {"enrolment", now}, "credential.enrol", get_agent(sql, code.agent)->name, describe(code));
    return agent;
}

Result<AgentId> check_shared_secret(soci::session& sql, const CredentialId& id, CredentialKind kind, std::string_view secret) {
    const auto credential = find_credential(sql, id);
    if (!credential || credential->kind != kind || !has_secret(*credential, secret) || credential->revoked)
        return fail(Errc::unauthorized, "unknown " + std::string(name_of(kind)) + " or wrong secret");
    return enabled_agent(sql, credential->agent);
}

}  // namespace

Result<IssuedCredential> issue(soci::session& sql, const Agent& agent, CredentialKind kind, const Author& author) {
    if (kind == CredentialKind::ed25519 || kind == CredentialKind::ssh_key) return fail(Errc::invalid_argument, "the agent makes its key itself");
    IssuedCredential issued;
    issued.secret = Secret(random_token(kSecretOctets));
    issued.credential = {.id = {new_id()},
                         .agent = agent.id,
                         .kind = kind,
                         .secret_hash = hash_secret(issued.secret.reveal()),
                         .created_at = author.at};
    if (kind == CredentialKind::enrolment) issued.credential.expires_at = author.at + kEnrolmentLifetime;
    insert_credential(sql, issued.credential);
    write_audit(sql, author, "credential.issue", agent.name, describe(issued.credential));
    return issued;
}

Result<IssuedCredential> Store::rotate_agent(std::string_view name, CredentialKind kind, std::chrono::seconds keep_old,
                                             const Author& author) {
    if (keep_old.count() < 0 || keep_old > kLongestOverlap)
        return fail(Errc::invalid_argument, "old and new credential work side by side for at most 30 days (720h)");
    return database_->transact([&](soci::session& sql) -> Result<IssuedCredential> {
        const auto agent = get_agent(sql, name);
        if (!agent) return std::unexpected(agent.error());
        for (Credential& old : select_credentials(sql, "where agent_id = :value and revoked = 0", agent->id.text)) {
            const WallTime until = author.at + keep_old;
            if (keep_old.count() == 0 || old.kind == CredentialKind::enrolment) old.revoked = true;
            else if (!old.retires_at || *old.retires_at > until) old.retires_at = until;
            update_credential(sql, old);
        }
        write_audit(sql, author, "agent.rotate", name, keep_old.count() == 0 ? "" : "the old credential goes on for " + std::to_string(keep_old.count()) + " s");
        return issue(sql, *agent, kind, author);
    });
}

Result<std::vector<Credential>> Store::list_credentials(const AgentId& agent) {
    return database_->transact([&](soci::session& sql) -> Result<std::vector<Credential>> {
        if (auto known = get_agent(sql, agent); !known) return std::unexpected(known.error());
        return select_credentials(sql, "where agent_id = :value order by created_at, id", agent.text);
    });
}

Result<std::vector<Credential>> Store::list_retiring() {
    return database_->transact([&](soci::session& sql) -> Result<std::vector<Credential>> {
        return select_credentials(sql, "where revoked = 0 and retires_at is not null order by retires_at, id");
    });
}

Result<IssuedCredential> Store::issue_credential(std::string_view agent, CredentialKind kind, const Author& author) {
    return database_->transact([&](soci::session& sql) -> Result<IssuedCredential> {
        const auto found = get_agent(sql, agent);
        if (!found) return std::unexpected(found.error());
        return issue(sql, *found, kind, author);
    });
}

Result<Credential> Store::enrol_key(std::string_view agent, const AgentKey& key, const Author& author) {
    return database_->transact([&](soci::session& sql) -> Result<Credential> {
        const auto found = get_agent(sql, agent);
        if (!found) return std::unexpected(found.error());
        if (auto allowed = may_enrol(sql, key); !allowed) return std::unexpected(allowed.error());
        Credential credential = insert_key(sql, found->id, key, author.at);
        write_audit(sql, author, "credential.enrol", agent, describe(credential));
        return credential;
    });
}

Result<Credential> Store::enrol_ssh_key(std::string_view agent, const SshKey& key, const std::optional<AgentKey>& same, const Author& author) {
    if (key.fingerprint.empty() || key.fingerprint.size() > 64) return fail(Errc::invalid_argument, "no fingerprint");
    if (key.line.size() > kMaxSshKeyLine) return fail(Errc::too_large, "the line of this SSH key is too long");
    return database_->transact([&](soci::session& sql) -> Result<Credential> {
        const auto found = get_agent(sql, agent);
        if (!found) return std::unexpected(found.error());
        if (auto allowed = may_enrol(sql, key, same); !allowed) return std::unexpected(allowed.error());
        const auto held = select_credentials(sql, "where agent_id = :value and kind = 'ssh_key' and revoked = 0", found->id.text);
        if (held.size() >= kMaxSshKeys) return fail(Errc::too_large, "an agent has at most " + std::to_string(kMaxSshKeys) + " SSH keys");
        Credential credential{.id = {new_id()}, .agent = found->id, .kind = CredentialKind::ssh_key, .ssh_key = key, .created_at = author.at};
        insert_credential(sql, credential);
        write_audit(sql, author, "credential.enrol", agent, describe(credential) + " " + key.fingerprint);
        return credential;
    });
}

Result<bool> Store::has_ssh_keys() {
    return database_->transact([&](soci::session& sql) -> Result<bool> {
        int count = 0;
        sql << "select count(*) from credentials where kind = 'ssh_key' and revoked = 0", soci::into(count);
        return count > 0;
    });
}

Result<> Store::revoke_credential(const CredentialId& id, const Author& author) {
    return database_->transact([&](soci::session& sql) -> Result<> {
        const auto credential = find_credential(sql, id);
        if (!credential) return fail(Errc::not_found, "no credential has that id");
        if (credential->revoked) return {};
        revoke(sql, *credential);
        write_audit(sql, author, "credential.revoke", get_agent(sql, credential->agent)->name, describe(*credential));
        return {};
    });
}

Result<AgentId> Store::redeem_enrolment(const CredentialId& id, std::string_view secret, const AgentKey& key, WallTime now) {
    return database_->transact([&](soci::session& sql) -> Result<AgentId> {
        const auto code = find_credential(sql, id);
        if (!code || code->kind != CredentialKind::enrolment || !has_secret(*code, secret))
            return fail(Errc::unauthorized, "unknown enrolment code");
        if (code->revoked) return fail(Errc::refused, "enrolment code was revoked");
        return code->bound_key ? repeat_trade(sql, *code, key) : first_trade(sql, *code, key, now);
    });
}

Result<AgentId> Store::find_key(const AgentKey& key) {
    return database_->transact([&](soci::session& sql) -> Result<AgentId> {
        const auto credential = find_by_key(sql, key);
        if (!credential || credential->revoked) return fail(Errc::unauthorized, "unknown key");
        return enabled_agent(sql, credential->agent);
    });
}

Result<AgentId> Store::check_token(std::string_view api_key) {
    const auto parsed = parse_api_key(api_key);
    if (!parsed) return std::unexpected(parsed.error());
    return database_->transact([&](soci::session& sql) {
        return check_shared_secret(sql, parsed->id, CredentialKind::token, parsed->secret.reveal());
    });
}

Result<AgentId> Store::check_device(const CredentialId& device_id, std::string_view secret) {
    return database_->transact(
        [&](soci::session& sql) { return check_shared_secret(sql, device_id, CredentialKind::device, secret); });
}

}  // namespace sallyport::store
