#include "store/migrations.h"

#include <array>
#include <span>
#include <string>
#include <string_view>

namespace sallyport::store {
namespace {

struct Migration {
    std::string_view name;
    std::span<const std::string_view> statements;
};

// Times are seconds since 1970, truth values 0 or 1, keys base64url, hashes hex.
constexpr std::string_view kFirstTables[] = {
    "create table meta (name varchar(100) primary key, content text not null)",
    "create table accounts (id varchar(32) primary key, name varchar(100) not null unique, created_at bigint not null)",
    "insert into accounts (id, name, created_at) values ('default', 'default', 0)",
    "create table agents ("
    " id varchar(32) primary key,"
    " account_id varchar(32) not null references accounts (id),"
    " name varchar(63) not null unique,"
    " enabled integer not null,"
    " created_at bigint not null,"
    " last_seen_at bigint,"
    " concurrency_limit bigint)",
    "create table proposed_targets ("
    " agent_id varchar(32) not null references agents (id) on delete cascade,"
    " name varchar(255) not null,"
    " url varchar(255) not null,"
    " primary key (agent_id, name))",
    // public_key is unique over revoked rows too: a revoked key never comes back.
    "create table credentials ("
    " id varchar(32) primary key,"
    " agent_id varchar(32) not null references agents (id) on delete cascade,"
    " kind varchar(16) not null,"
    " public_key varchar(43) unique,"
    " secret_hash varchar(64),"
    " created_at bigint not null,"
    " expires_at bigint,"
    " used_at bigint,"
    " bound_key varchar(43),"
    " revoked integer not null)",
    "create index credentials_of_agent on credentials (agent_id)",
    "create table routes ("
    " id varchar(32) primary key,"
    " account_id varchar(32) not null references accounts (id),"
    " hostname varchar(253) not null,"
    " path_prefix varchar(1024) not null,"
    " agent_id varchar(32) not null references agents (id) on delete cascade,"
    " target varchar(255) not null,"
    " enabled integer not null,"
    " strip_prefix integer not null,"
    " preserve_host integer not null,"
    " forward_client_ip varchar(16) not null,"
    " request_timeout_ms bigint,"
    " created_at bigint not null,"
    " unique (hostname, path_prefix))",
    "create index routes_of_agent on routes (agent_id)",
    "create table audit ("
    " id bigint primary key,"
    " at bigint not null,"
    " actor varchar(100) not null,"
    " action varchar(100) not null,"
    " subject text not null,"
    " detail text not null)",
};

constexpr std::string_view kHealthAndOverlap[] = {
    "alter table routes add column health_path varchar(1024)",
    "alter table credentials add column retires_at bigint",
};

constexpr std::string_view kTcpRoutes[] = {
    "create table tcp_routes ("
    " id varchar(32) primary key,"
    " account_id varchar(32) not null references accounts (id),"
    " listen varchar(64) not null unique,"
    " agent_id varchar(32) not null references agents (id) on delete cascade,"
    " target varchar(255) not null,"
    " enabled integer not null,"
    " tls integer not null,"
    " proxy_protocol integer not null,"
    " allow text not null,"
    " created_at bigint not null)",
    "create index tcp_routes_of_agent on tcp_routes (agent_id)",
};

// What a route does beyond leading somewhere, as one JSON object that only the edge understands: a further setting is no new column.
constexpr std::string_view kRoutePolicies[] = {"alter table routes add column policy text not null default '{}'"};

// The fingerprint is unique over revoked rows too, like public_key.
constexpr std::string_view kSshKeys[] = {
    "alter table credentials add column ssh_fingerprint varchar(64)",
    "alter table credentials add column ssh_line text",
    "create unique index credentials_by_ssh_fingerprint on credentials (ssh_fingerprint)",
};

// In the order they are applied; only ever added to.
constexpr std::array kMigrations{
    Migration{"first tables", kFirstTables},
    Migration{"health paths, retiring credentials", kHealthAndOverlap},
    Migration{"TCP routes", kTcpRoutes},
    Migration{"route policies", kRoutePolicies},
    Migration{"SSH keys", kSshKeys},
};

Result<> apply(Database& database, int version, const Migration& migration, WallTime now) {
    return database.transact([&](soci::session& sql) -> Result<> {
        for (const auto statement : migration.statements) sql << std::string(statement);
        const std::string name{migration.name};
        const long long at = now.time_since_epoch().count();
        sql << "insert into migrations (version, name, applied_at) values (:version, :name, :at)", soci::use(version),
            soci::use(name), soci::use(at);
        return {};
    });
}

}  // namespace

Result<int> check_version(Database& database) {
    return database.guarded([&](soci::session& sql) -> Result<int> {
        if (!has_table(sql, "migrations")) {
            if (count_tables(sql) == 0) return 0;
            return fail(Errc::invalid_argument, database.file().string() + ": the database of some other program");
        }
        int version = 0;
        sql << "select coalesce(max(version), 0) from migrations", soci::into(version);
        if (version > static_cast<int>(kMigrations.size()))
            return fail(Errc::newer_version,
                        database.file().string() + ": written by a newer Sallyport (tables version " + std::to_string(version) +
                            ", this one knows " + std::to_string(kMigrations.size()) + "); install that release again");
        return version;
    });
}

Result<> migrate(Database& database, WallTime now) {
    const auto found = check_version(database);
    if (!found) return std::unexpected(found.error());
    if (*found == 0) {
        auto made = database.transact([](soci::session& sql) -> Result<> {
            if (has_table(sql, "migrations")) return {};
            sql << "create table migrations (version integer primary key, name varchar(100) not null, applied_at bigint not null)";
            return {};
        });
        if (!made) return made;
    }
    for (std::size_t i = static_cast<std::size_t>(*found); i < kMigrations.size(); ++i)
        if (auto applied = apply(database, static_cast<int>(i) + 1, kMigrations[i], now); !applied) return applied;
    return {};
}

}  // namespace sallyport::store
