#include "app/agent_command.h"

#include <memory>
#include <string>

#include "agent/agent_main.h"
#include "app/add_on.h"
#include "app/exit_code.h"
#include "app/key_flags.h"
#include "base/log.h"
#include "config/agent_config.h"

namespace sallyport::app {
namespace {

struct AgentCommand {
    AgentCommand(CLI::App& command)
        : flags(command, agent_keys(), {"enroll"}),
          enroll(command
                     .add_option("--enroll", code,
                                 "enrol with the code the relay's owner gave; without CODE it is asked for, or read from standard "
                                 "input. As an argument it is visible in the process list")
                     ->expected(0, 1)
                     ->type_name("[CODE]")),
          trust(command.add_subcommand("trust", "Forget the noted key of an https target, so that the next one is taken")) {
        trust->add_option("NAME", target, "as in services")->required();
    }
    KeyFlags flags;
    std::string code;
    CLI::Option* enroll;
    CLI::App* trust;
    std::string target;
};

int run(const AgentCommand& command) {
    const auto sources = command.flags.sources(kAddOnOptions);
    const auto config = sources ? load_agent_config(*sources) : Result<AgentConfig>(std::unexpected(sources.error()));
    if (!config) {
        tell_config_error(config.error());
        return kWrongUsage;
    }
    Log log(config->log_level, config->log_format);
    if (command.trust->parsed()) return trust_target(*config, command.target, log);
    EnrolmentInput enrolment;
    if (command.enroll->count() > 0) {
        enrolment.asked = command.code.empty();
        if (!command.code.empty()) enrolment.code = Secret(command.code);
    }
    return run_agent(*config, enrolment, log);
}

}  // namespace

std::function<int()> add_agent_command(CLI::App& program) {
    CLI::App* command = program.add_subcommand("agent", "At home: dials out to the relay and reaches the services you allow");
    command->footer(
        "Every flag is also a key of the configuration file (some_key) and a variable (SALLYPORT_SOME_KEY); secrets have no flag.\n"
        "Exit codes: 0 stopped by a signal, 1 could not start, 2 wrong usage or configuration.");
    auto parts = std::make_shared<AgentCommand>(*command);
    return [parts] { return run(*parts); };
}

}  // namespace sallyport::app
