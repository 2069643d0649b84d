// changes.h: steps that several operations of the store share. Throw as rows.h does; called inside a transaction.
#pragma once
#include <soci/soci.h>

#include "base/result.h"
#include "store/rows.h"
#include "store/store.h"

namespace sallyport::store {

Result<Agent> get_agent(soci::session& sql, std::string_view name);  // not_found names it
Result<Agent> get_agent(soci::session& sql, const AgentId& id);

// Makes a credential of a kind that has a secret, and writes its audit row.
Result<IssuedCredential> issue(soci::session& sql, const Agent& agent, CredentialKind kind, const Author& author);

Result<Route> create_route(soci::session& sql, const Agent& agent, const RouteSpec& spec, const Author& author);

}  // namespace sallyport::store
