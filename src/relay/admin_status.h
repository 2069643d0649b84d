// admin_status.h: the endpoints of the admin API about the relay itself: status, audit, reload, backup.
#pragma once
#include "relay/admin_call.h"

namespace sallyport::relay {

AdminAnswered show_status(AdminCall& call);
AdminAnswered reload(AdminCall& call);
AdminAnswered show_audit(AdminCall& call);
AdminAnswered backup(AdminCall& call);

}  // namespace sallyport::relay
