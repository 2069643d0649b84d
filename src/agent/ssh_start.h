// ssh_start.h: from configuration and state folder to what an SshAgent is made of. Blocking: before the loop runs. Tells
// people on `out` what they should know: above all the line that lets this agent into the server.
#pragma once
#include <cstdio>

#include "agent/ssh_agent.h"
#include "agent/state_folder.h"
#include "base/log.h"
#include "config/agent_config.h"

namespace sallyport {

// config.ssh is set.
Result<SshAgentSetup> prepare_ssh_agent(const AgentConfig& config, const StateFolder& folder, Log& log, std::FILE* out);

// The server that people mean by this name, if any: its name, else its hostname where only one has that.
const SshServerConfig* find_ssh_server(const SshConfig& config, std::string_view name);

}  // namespace sallyport
