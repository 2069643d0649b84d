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

struct RelayOptions {
    RelayOptions(CLI::App& command, std::span<char* const> arguments)
        : flags(command, relay_keys()), program(relay::Program::of(arguments)) {}
    const KeyFlags flags;
    const relay::Program program;
    int upgrade_from = -1;  // the descriptor that leads to the relay that this process replaces; -1: none
};

int run_relay(const RelayOptions& options) {
    const KeyFlags& flags = options.flags;
    std::unique_ptr<relay::Predecessor> predecessor;
    if (options.upgrade_from >= 0) {
        auto met = relay::Predecessor::meet(options.upgrade_from);
        if (!met) {
            std::fprintf(stderr, "sallyport: %s: %s\n", relay::kUpgradeFlag, met.error().detail.c_str());
            return kWrongUsage;
        }
        predecessor = std::move(*met);
    }
    const bool successor = predecessor != nullptr;
    const auto load = [&flags]() -> Result<RelayConfig> {
        const auto sources = flags.sources();
        if (!sources) return std::unexpected(sources.error());
        return load_relay_config(*sources);
    };
    auto config = load();
    if (!config) {
        tell_config_error(config.error());
        if (predecessor) predecessor->tell_failed(config.error().detail);
        return kWrongUsage;
    }
    Log log(config->log_level, config->log_format);
    auto started = relay::Relay::start({.config = std::move(*config),
                                        .load_config = load,
                                        .config_file = flags.config_file(),
                                        .program = options.program,
                                        .predecessor = std::move(predecessor),
                                        .notifier = ServiceNotifier::from_environment(successor)},
                                       log);
    if (!started) {
        std::fprintf(stderr, "sallyport: %s\n", started.error().detail.c_str());
        return kFailed;
    }
    if (!successor) std::fputs((*started)->banner().c_str(), stdout);
    std::fflush(stdout);
    (*started)->run();
    return kDone;
}

}  // namespace

std::function<int()> add_relay_command(CLI::App& program, std::span<char* const> arguments) {
    CLI::App* command = program.add_subcommand("relay", "The public server: takes visitors, agents dial in");
    command->footer(
        "Every flag is also a key of the configuration file (some_key) and a variable (SALLYPORT_SOME_KEY).\n"
        "Exit codes: 0 stopped by a signal, 1 could not start, 2 wrong usage or configuration.");
    auto options = std::make_shared<RelayOptions>(*command, arguments);
    command->add_option(relay::kUpgradeFlag, options->upgrade_from)->group("");  // hidden: `admin upgrade` is for people
    return [options] { return run_relay(*options); };
}

}  // namespace sallyport::app
