#include "agent/first_look.h"

#include <utility>

#include "agent/doctor.h"
#include "base/version.h"

namespace sallyport {

FirstLook::FirstLook(const AgentConfig& config, const StateFolder& folder, Log& log)
    : config_(config), folder_(folder), log_(log), wanted_(config.first_look && !folder.has(kFirstLookFile)) {}

FirstLook::~FirstLook() {
    called_off_ = true;
    if (thread_.joinable()) thread_.join();
}

void FirstLook::begin() {
    if (!std::exchange(wanted_, false)) return;
    thread_ = std::thread([this] { look(); });
}

void FirstLook::look() {
    DoctorOptions options;
    options.brief = true;
    options.called_off = &called_off_;
    options.on_step = [this](const DoctorStep& step) {
        for (const std::string& hint : step.hints) log_.info("agent.first_look_hint", {{"step", step.step}, {"hint", hint}});
        if (step.result == DoctorStep::Result::failed)
            log_.warn("agent.first_look_failed", {{"step", step.step}, {"detail", step.detail}, {"advice", step.cure}});
    };
    Log quiet(LogLevel::error, LogFormat::key_value);
    const DoctorReport report = run_agent_doctor(config_, "the agent's configuration", std::move(options), quiet);
    if (called_off_) return;
    const DoctorStep* failed = report.first_failed();
    log_.info("agent.first_look", {{"result", failed ? "failed" : "ok"},
                                   {"first_failed", failed ? std::string_view(failed->step) : std::string_view("none")},
                                   {"advice", failed ? "`sallyport doctor` looks again" : "`sallyport doctor` looks more closely, and again"}});
    if (const auto written = folder_.write(kFirstLookFile, std::string(kVersion) + "\n"); !written)
        log_.error("agent.state_not_written", {{"reason", written.error().detail}});
}

}  // namespace sallyport
