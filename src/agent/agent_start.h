// agent_start.h: from configuration, state folder and perhaps an enrolment code to what an Agent is made of. Blocking:
// before the loop runs. Tells people on `out` what they should know.
#pragma once
#include <cstdio>
#include <optional>

#include "agent/agent.h"
#include "agent/agent_main.h"
#include "agent/enrolment.h"
#include "agent/state_folder.h"
#include "config/agent_config.h"

namespace sallyport {

// The code to use, if any is given; in the order that EnrolmentInput states.
Result<std::optional<EnrolmentCode>> choose_code(const AgentConfig& config, const EnrolmentInput& input);

// The table: the configured services, then what an enrolment proposed and they don't name.
TargetTable make_target_table(const AgentConfig& config, const std::vector<ProposedTarget>& proposed);

// A code that was used before is ignored. A new code of an agent that was enrolled before gets a new key (the relay may
// have revoked the old one), kept beside it until the relay has taken it.
Result<AgentSetup> prepare_agent(const AgentConfig& config, const StateFolder& folder,
                                 const std::optional<EnrolmentCode>& code, Log& log, std::FILE* out);

}  // namespace sallyport
