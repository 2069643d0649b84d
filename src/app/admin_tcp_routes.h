// admin_tcp_routes.h: `sallyport admin tcp-route …`: public TCP ports and where they lead.
#pragma once
#include <string>

#include "app/admin_context.h"

namespace sallyport::app {

void add_tcp_route_actions(AdminContext& context);

// A route made of an autossh-style line, [bind:]port:host:port: `sallyport admin route add --forward`.
Result<> add_forward(const AdminContext& context, const std::string& line, const std::string& agent);

}  // namespace sallyport::app
