#include "relay/reload_rules.h"

#include <string_view>

namespace sallyport::relay {
namespace {

template <class Visit>
void each_fixed(Visit visit) {
    visit("state_dir", &RelayConfig::state_dir);
    visit("https_listen", &RelayConfig::https_listen);
    visit("http_listen", &RelayConfig::http_listen);
    visit("plain_listen", &RelayConfig::plain_listen);
    visit("ssh_listen", &RelayConfig::ssh_listen);
    visit("metrics_listen", &RelayConfig::metrics_listen);
    visit("log_format", &RelayConfig::log_format);
    visit("threads", &RelayConfig::threads);
}

}  // namespace

std::vector<std::string> fixed_changes(const RelayConfig& before, const RelayConfig& after) {
    std::vector<std::string> changed;
    each_fixed([&](std::string_view key, auto member) {
        if (before.*member != after.*member) changed.push_back(std::string(key) + " changes at the next start, or by sallyport admin upgrade");
    });
    return changed;
}

void keep_fixed(const RelayConfig& before, RelayConfig& after) {
    each_fixed([&](std::string_view, auto member) { after.*member = before.*member; });
}

}  // namespace sallyport::relay
