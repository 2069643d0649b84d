// admin_routes.h: the endpoints of the admin API below /routes.
#pragma once
#include "relay/admin_call.h"

namespace sallyport::relay {

AdminAnswered list_routes(AdminCall& call);
AdminAnswered show_route(AdminCall& call);
AdminAnswered add_route(AdminCall& call);
AdminAnswered change_route(AdminCall& call);
AdminAnswered remove_route(AdminCall& call);

}  // namespace sallyport::relay
