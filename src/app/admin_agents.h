// admin_agents.h: `sallyport admin agent …`.
#pragma once
#include "app/admin_context.h"

namespace sallyport::app {

void add_agent_actions(AdminContext& context);

}  // namespace sallyport::app
