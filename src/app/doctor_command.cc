#include "app/doctor_command.h"

#include <langinfo.h>
#include <locale.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <memory>
#include <string>

#include "agent/doctor.h"
#include "app/add_on.h"
#include "app/doctor_output.h"
#include "app/exit_code.h"
#include "app/key_flags.h"
#include "app/relay_doctor.h"
#include "net/socket.h"

namespace sallyport::app {
namespace {

constexpr const char* kRelayConfig = "/etc/sallyport/relay.yaml";  // as in deploy/sallyport-relay.service

struct DoctorCommand {
    explicit DoctorCommand(CLI::App& command) : flags(command, agent_keys(), {"enroll"}) {
        command.add_flag("--relay", relay, "on the relay's machine: look at the relay instead; takes --config, --state-dir and SALLYPORT_* of `sallyport relay`");
        command.add_flag("--json", json, "one JSON object instead of lines");
        command.add_flag("-v,--verbose", verbose, "the log of what is done, to standard error");
        command.add_option("--target", target, "the service to look at; default: Home Assistant, else the first that a public URL leads to")->type_name("NAME");
        command.add_option("--public-url", public_url, "with transport ssh: where visitors come in, as https://home.example.org/")->type_name("URL");
        command
            .add_option("--public-address", public_address, "visit the public URL at this address, whatever DNS says here")
            ->type_name("IP")
            ->check([](const std::string& text) { return SocketAddress::parse(text, 1) ? std::string() : "no IP address"; });
        command.add_option("--home-assistant-token-file", token_file, "a file with a long-lived access token, to look at Home Assistant's external URL")->type_name("FILE");
    }
    KeyFlags flags;
    bool relay = false;
    bool json = false;
    bool verbose = false;
    std::string target;
    std::string public_url;
    std::string public_address;
    std::string token_file;
};

Marks marks_of_terminal() {
    ::setlocale(LC_CTYPE, "");
    return ::isatty(STDOUT_FILENO) && std::string_view(::nl_langinfo(CODESET)) == "UTF-8" ? Marks::unicode : Marks::ascii;
}

int tell(const DoctorReport& report, bool as_json) {
    std::fputs(as_json ? doctor_json(report).c_str() : ("\n" + doctor_summary(report)).c_str(), stdout);
    std::fflush(stdout);
    return report.first_failed() ? kFailed : kDone;
}

std::function<void(const DoctorStep&)> lines_to_people() {
    return [marks = marks_of_terminal()](const DoctorStep& step) {
        std::fputs(doctor_line(step, marks).c_str(), stdout);
        std::fflush(stdout);
    };
}

int run_for_relay(const DoctorCommand& command) {
    const auto sources = command.flags.sources(kRelayConfig);
    if (sources)
        for (const auto& [key, value] : sources->flags)
            if (std::ranges::find(relay_keys(), key, &KeyInfo::name) == relay_keys().end()) {
                std::fprintf(stderr, "sallyport: --relay looks at a relay, which has no %s\n", key.c_str());
                return kWrongUsage;
            }
    const auto config = sources ? load_relay_config(*sources) : Result<RelayConfig>(std::unexpected(sources.error()));
    std::string source = command.flags.config_file();
    if (source.empty()) source = ::access(kRelayConfig, F_OK) == 0 ? kRelayConfig : "no configuration file";
    return tell(run_relay_doctor(config, source, command.json ? nullptr : lines_to_people()), command.json);
}

int run(const DoctorCommand& command) {
    ::signal(SIGPIPE, SIG_IGN);
    ::setenv("RES_OPTIONS", "timeout:2 attempts:2", 0);  // no thread runs yet
    if (command.relay) return run_for_relay(command);
    const auto sources = command.flags.sources(kAddOnOptions);
    const auto config = sources ? load_agent_config(*sources) : Result<AgentConfig>(std::unexpected(sources.error()));
    std::string source = command.flags.config_file();
    if (source.empty()) source = ::access(kAddOnOptions, F_OK) == 0 ? kAddOnOptions : "no configuration file";
    Log log(command.verbose ? LogLevel::debug : LogLevel::error, LogFormat::key_value);
    DoctorOptions options;
    options.target = command.target;
    options.public_url = command.public_url;
    options.public_address = command.public_address;
    options.token_file = command.token_file;
    if (!command.json) options.on_step = lines_to_people();
    return tell(run_agent_doctor(config, source, std::move(options), log), command.json);
}

}  // namespace

std::function<int()> add_doctor_command(CLI::App& program) {
    CLI::App* command = program.add_subcommand("doctor", "Look what is wrong on the way from visitors to your services, and how to cure it");
    command->footer(
        "Takes the configuration of `sallyport agent`, from the same places, and works beside a running one.\n"
        "Exit codes: 0 all is well, 1 a hop fails, 2 wrong usage.");
    auto parts = std::make_shared<DoctorCommand>(*command);
    return [parts] { return run(*parts); };
}

}  // namespace sallyport::app
