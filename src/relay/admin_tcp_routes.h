// admin_tcp_routes.h: the API's endpoints for TCP routes.
#pragma once
#include "relay/admin_call.h"

namespace sallyport::relay {

AdminAnswered list_tcp_routes(AdminCall& call);
AdminAnswered add_tcp_route(AdminCall& call);
AdminAnswered change_tcp_route(AdminCall& call);
AdminAnswered remove_tcp_route(AdminCall& call);

}  // namespace sallyport::relay
