// admin_routes.h: `sallyport admin route …`. A route is named by its id, or by its hostname with the path prefix behind it.
#pragma once
#include "app/admin_context.h"

namespace sallyport::app {

void add_route_actions(AdminContext& context);

}  // namespace sallyport::app
