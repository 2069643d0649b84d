// admin_agents.h: `sallyport admin agent …`.
#pragma once
#include "app/admin_context.h"

namespace sallyport::app {

void add_agent_actions(AdminContext& context);

std::string path_of_agent(const std::string& name, std::string_view tail = {});  // in the API
// How to connect with an SSH key that was just enrolled; nothing if the answer has nothing on it.
void show_ssh_access(const boost::json::object& answer);

}  // namespace sallyport::app
