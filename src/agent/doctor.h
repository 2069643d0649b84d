// doctor.h: `sallyport doctor` on the agent's machine: walks from the configuration to the relay, to the home's service, and from the
// public URL back through the tunnel, and names the first hop that fails and its cure (docs/doctor.md). It works beside a running
// agent and never takes its place: the relay is asked without a tunnel, and what gets through is tried as a visitor would, by way
// of the running agent's own (docs/protocol.md, 6). Where no agent runs it brings a tunnel up for as long as it takes.
// Blocking, on the caller's thread; writes nothing to the state folder.
#pragma once
#include <atomic>
#include <filesystem>
#include <functional>
#include <string>

#include "base/doctor_report.h"
#include "base/log.h"
#include "base/octets.h"
#include "config/agent_config.h"

namespace sallyport {

struct DoctorOptions {
    std::string target;                  // the service to look at; "": Home Assistant's, else the first that a route leads to
    std::string public_url;              // transport ssh: where visitors come in; "": not known
    std::string public_address;          // where visitors come out, instead of what DNS says here; "": DNS
    std::filesystem::path token_file;    // holds a long-lived access token of Home Assistant
    ByteCount echo = 20_MiB;             // each way
    bool brief = false;                  // without echo and Home Assistant's own settings: the agent's first start
    std::function<void(const DoctorStep&)> on_step;  // each, as it is done
    const std::atomic<bool>* called_off = nullptr;   // steps from then on are not tried
};

// `config`: what was read, or why it could not be; `source`: where from, for people.
DoctorReport run_agent_doctor(const Result<AgentConfig>& config, const std::string& source, DoctorOptions options, Log& log);

}  // namespace sallyport
