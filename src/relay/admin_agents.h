// admin_agents.h: the endpoints of the admin API below /agents.
#pragma once
#include "relay/admin_call.h"

namespace sallyport::relay {

AdminAnswered list_agents(AdminCall& call);
AdminAnswered show_agent(AdminCall& call);
AdminAnswered add_agent(AdminCall& call);
AdminAnswered change_agent(AdminCall& call);
AdminAnswered remove_agent(AdminCall& call);
AdminAnswered rotate_agent(AdminCall& call);
AdminAnswered add_keys(AdminCall& call);
AdminAnswered revoke_credential(AdminCall& call);
AdminAnswered take_over_agent(AdminCall& call);

}  // namespace sallyport::relay
