// reload_rules.h: which keys of the configuration change at the next start, or upgrade, only.
#pragma once
#include <string>
#include <vector>

#include "config/relay_config.h"

namespace sallyport::relay {

// Those that differ, each with a word for people.
std::vector<std::string> fixed_changes(const RelayConfig& before, const RelayConfig& after);

// Puts the old values of those into `after`, so that they go on to be told at each reload.
void keep_fixed(const RelayConfig& before, RelayConfig& after);

}  // namespace sallyport::relay
