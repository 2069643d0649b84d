#include "app/relay_command.h"

#include <cstdio>
#include <memory>

#include "app/exit_code.h"
#include "app/key_flags.h"
#include "base/log.h"
#include "config/relay_config.h"
#include "relay/relay.h"

namespace sallyport::app {
namespace {

int run_relay(const KeyFlags& flags) {
    const auto load = [&flags]() -> Result<RelayConfig> {
        const auto sources = flags.sources();
        if (!sources) return std::unexpected(sources.error());
        return load_relay_config(*sources);
    };
    auto config = load();
    if (!config) {
        tell_config_error(config.error());
        return kWrongUsage;
    }
    Log log(config->log_level, config->log_format);
    auto started = relay::Relay::start({std::move(*config), load, flags.config_file()}, log);
    if (!started) {
        std::fprintf(stderr, "sallyport: %s\n", started.error().detail.c_str());
        return kFailed;
    }
    std::fputs((*started)->banner().c_str(), stdout);
    std::fflush(stdout);
    (*started)->run();
    return kDone;
}

}  // namespace

std::function<int()> add_relay_command(CLI::App& program) {
    CLI::App* command = program.add_subcommand("relay", "The public server: takes visitors, agents dial in");
    command->footer(
        "Every flag is also a key of the configuration file (some_key) and a variable (SALLYPORT_SOME_KEY).\n"
        "Exit codes: 0 stopped by a signal, 1 could not start, 2 wrong usage or configuration.");
    auto flags = std::make_shared<KeyFlags>(*command, relay_keys());
    return [flags] { return run_relay(*flags); };
}

}  // namespace sallyport::app
