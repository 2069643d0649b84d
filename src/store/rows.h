// rows.h: records to rows and back. Throws soci_error or DamagedRow; only called inside Database::transact.
#pragma once
#include <soci/soci.h>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "store/records.h"
#include "store/store.h"

namespace sallyport::store {

std::string new_id();  // 64 random bits as base32 (RFC 4648 6) in lower case

// Rows that satisfy `condition` ("where name = :value order by name"); value is bound if the condition names it.
std::vector<Agent> select_agents(soci::session& sql, std::string_view condition, const std::string& value = {});
std::vector<Credential> select_credentials(soci::session& sql, std::string_view condition, const std::string& value = {});
std::vector<Route> select_routes(soci::session& sql, std::string_view condition, const std::string& value = {});
std::vector<TcpRoute> select_tcp_routes(soci::session& sql, std::string_view condition, std::string value = {});  // in tcp_routes.cc

void insert_agent(soci::session& sql, const Agent& agent);
void insert_credential(soci::session& sql, const Credential& credential);
void insert_route(soci::session& sql, const Route& route);

void update_agent(soci::session& sql, const Agent& agent);  // enabled, last_seen_at, concurrency_limit
void update_credential(soci::session& sql, const Credential& credential);  // used_at, bound_key, revoked
void update_route(soci::session& sql, const Route& route);                 // all but id, hostname, prefix, created_at

void write_audit(soci::session& sql, const Author& author, std::string_view action, std::string_view subject,
                 std::string_view detail = {});
std::vector<AuditEntry> select_audit(soci::session& sql, std::size_t limit);  // newest first

}  // namespace sallyport::store
