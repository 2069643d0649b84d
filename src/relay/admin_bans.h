// admin_bans.h: the API's endpoints for the ban shield (edge/ban_shield.h).
#pragma once
#include "relay/admin_call.h"

namespace sallyport::relay {

AdminAnswered list_bans(AdminCall& call);
AdminAnswered lift_ban(AdminCall& call);

}  // namespace sallyport::relay
