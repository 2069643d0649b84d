// relay_doctor.h: `sallyport doctor --relay`: the same on the relay's machine: does it run, is it reached, are certificates valid and
// for which names, clock, limits, disk, database, what an upgrade left, systemd (docs/doctor.md). Blocking; changes nothing.
#pragma once
#include <functional>
#include <string>

#include "base/doctor_report.h"
#include "config/relay_config.h"

namespace sallyport::app {

DoctorReport run_relay_doctor(const Result<RelayConfig>& config, const std::string& source, std::function<void(const DoctorStep&)> on_step);

}  // namespace sallyport::app
