#include "app/gateway_command.h"

#include <memory>

#include "app/exit_code.h"
#include "app/key_flags.h"
#include "base/log.h"
#include "config/gateway_config.h"
#include "gateway/gateway_main.h"

namespace sallyport::app {

std::function<int()> add_gateway_command(CLI::App& program) {
    CLI::App* command = program.add_subcommand("gateway", "Plain ssh over a bad link: takes SSH clients, reaches one remote host by mosh");
    command->footer(
        "Every flag is also a key of the configuration file (some_key) and a variable: SALLYPORT_SOME_KEY, GATEWAY_SOME_KEY,\n"
        "and REMOTE_* for remote_*; secrets have no flag.\n"
        "Exit codes: 0 stopped by a signal, 1 could not start, 2 wrong usage or configuration.");
    auto flags = std::make_shared<KeyFlags>(*command, gateway_keys());
    return [flags] {
        const auto sources = flags->sources();
        auto config = sources ? load_gateway_config(*sources) : Result<GatewayConfig>(std::unexpected(sources.error()));
        if (!config) {
            tell_config_error(config.error());
            return kWrongUsage;
        }
        Log log(config->log_level, config->log_format);
        const int code = gateway::run_gateway(std::move(*config), log);
        return code == 0 ? kDone : kFailed;
    };
}

}  // namespace sallyport::app
