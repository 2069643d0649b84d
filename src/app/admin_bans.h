// admin_bans.h: `sallyport admin bans …`: who may not log in at the moment.
#pragma once
#include "app/admin_context.h"

namespace sallyport::app {

void add_ban_actions(AdminContext& context);

}  // namespace sallyport::app
