// The program: `sallyport relay | agent | gateway | admin | doctor | hash-password | version`. Each subcommand is in a file of its own.
#include <CLI/CLI.hpp>

#include <algorithm>
#include <cstdio>

#include "app/admin_command.h"
#include "app/agent_command.h"
#include "app/doctor_command.h"
#include "app/exit_code.h"
#include "app/gateway_command.h"
#include "app/hash_password_command.h"
#include "app/relay_command.h"
#include "base/version.h"

int main(int argc, char** argv) {
    using namespace sallyport;
    CLI::App program("Sallyport: reach a service at home through a connection that the home opens itself.", "sallyport");
    const std::string version = "sallyport " + std::string(kVersion);
    program.set_version_flag("--version", version);
    program.require_subcommand(1);
    const auto run_relay = app::add_relay_command(program, {argv, static_cast<std::size_t>(argc)});
    const auto run_agent = app::add_agent_command(program);
    const auto run_gateway = app::add_gateway_command(program);
    const auto run_admin = app::add_admin_command(program);
    const auto run_doctor = app::add_doctor_command(program);
    const auto run_hash_password = app::add_hash_password_command(program);
    program.add_subcommand("version", "Show the version");
    // CLI11 would only say that some command is needed.
    const auto commands = program.get_subcommands([](const CLI::App*) { return true; });
    const auto is_typed = [&](const CLI::App* command) { return command->get_name() == argv[1]; };
    if (argc > 1 && argv[1][0] != '-' && std::ranges::none_of(commands, is_typed)) {
        std::fprintf(stderr, "sallyport: there is no command %s; there are relay, agent, gateway, admin, doctor, hash-password and version\n", argv[1]);
        return app::kWrongUsage;
    }
    try {
        program.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        return program.exit(error) == 0 ? app::kDone : app::kWrongUsage;
    }
    if (program.got_subcommand("relay")) return run_relay();
    if (program.got_subcommand("agent")) return run_agent();
    if (program.got_subcommand("gateway")) return run_gateway();
    if (program.got_subcommand("admin")) return run_admin();
    if (program.got_subcommand("doctor")) return run_doctor();
    if (program.got_subcommand("hash-password")) return run_hash_password();
    std::puts(version.c_str());
    return app::kDone;
}
