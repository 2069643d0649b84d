// Any octets as a configuration file of each role, and as the value of variables that take lists: an answer, and
// what is accepted keeps its bounds.
#include <cstdint>
#include <cstdlib>

#include "base/octets.h"
#include "config/agent_config.h"
#include "config/gateway_config.h"
#include "config/relay_config.h"

using namespace sallyport;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string text{as_text(as_octets(data, size))};
    const ConfigSources as_file{.file_name = "fuzz.yaml", .file_text = text, .environment = {{"HOME", "/home/fuzz"}}};
    const ConfigSources as_variables{.environment = {{"HOME", "/home/fuzz"}, {"SALLYPORT_SERVICES", text}, {"SALLYPORT_CERTIFICATES", text}, {"GATEWAY_PASSWORDS", text}, {"GATEWAY_HOST", text}}};
    const ConfigSources as_ssh{.environment = {{"HOME", "/home/fuzz"}, {"SALLYPORT_SERVERS", text}, {"SALLYPORT_REMOTE_FORWARDING", text}}};
    const ConfigSources as_options{.environment = {{"HOME", "/home/fuzz"}, {"SALLYPORT_HOSTNAME", "a.example"}, {"SALLYPORT_OTHER_SSH_OPTIONS", text}, {"SALLYPORT_PRIVATE_KEY", text}}};
    for (const ConfigSources* const sources : {&as_file, &as_variables, &as_ssh, &as_options}) {
        const auto agent = load_agent_config(*sources);
        if (agent && (agent->services.empty() || agent->services.size() > 256 || agent->concurrency_limit == 0)) std::abort();
        if (agent && agent->ssh && (agent->ssh->servers.empty() || agent->ssh->servers.size() > kMaxSshServers)) std::abort();
        if (!agent && agent.error().detail.empty()) std::abort();
        const auto relay = load_relay_config(*sources);
        if (relay && relay->state_dir.empty()) std::abort();
        if (!relay && relay.error().detail.empty()) std::abort();
        const auto gateway = load_gateway_config(*sources, "/nonexistent");
        if (gateway && (gateway->remote_host.empty() || gateway->listen.empty())) std::abort();
        if (!gateway && gateway.error().detail.empty()) std::abort();
    }
    return 0;
}
