// admin_agent_keys.h: `sallyport admin agent add-key` and `remove-key`: an agent's SSH keys one by one; and how SSH keys are given on
// the command line.
#pragma once
#include <CLI/App.hpp>

#include <string>
#include <vector>

#include "app/admin_context.h"
#include "base/result.h"

namespace sallyport::app {

// Lines of authorized_keys: each word is one, or @FILE with any number of them (a .pub file has one); @- is standard input.
Result<std::vector<std::string>> read_ssh_keys(const std::vector<std::string>& words);

void add_agent_key_actions(AdminContext& context, CLI::App& agent);

}  // namespace sallyport::app
