// agent_main.h: runs one agent as a program: state folder, identity, enrolment, loop, signals, and what it tells people
// on standard output. SIGTERM and SIGINT end it in order; a second one at once. It doesn't end because the network is
// away.
#pragma once
#include <optional>
#include <string_view>

#include "base/log.h"
#include "base/secret.h"
#include "config/agent_config.h"

namespace sallyport {

// What the command line says about enrolling. The configuration's `enroll` (SALLYPORT_ENROLL) and `enroll_file` come
// with AgentConfig; the order is: argument, prompt or standard input, enroll, enroll_file.
struct EnrolmentInput {
    bool asked = false;          // --enroll: ask on the terminal, or read standard input when it is none
    std::optional<Secret> code;  // --enroll CODE: visible in the process list
};

// The exit code: 0 after a signal, 1 when it could not start (one line on the log says why).
int run_agent(const AgentConfig& config, const EnrolmentInput& enrolment, Log& log);

// `sallyport agent trust NAME`: forgets the key noted for an https target or an SSH server, so that the next one shown is taken. A
// running agent sees it at its next connection. The exit code.
int trust_target(const AgentConfig& config, std::string_view target, Log& log);

}  // namespace sallyport
