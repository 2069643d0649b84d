#include "relay/reload_rules.h"

#include <string_view>

namespace sallyport::relay {

std::vector<std::string> fixed_changes(const RelayConfig& before, const RelayConfig& after) {
    std::vector<std::string> changed;
    const auto note = [&](std::string_view key, bool same) {
        if (!same) changed.push_back(std::string(key) + " changes at the next start, or by sallyport admin upgrade");
    };
    note("state_dir", before.state_dir == after.state_dir);
    note("https_listen", before.https_listen == after.https_listen);
    note("http_listen", before.http_listen == after.http_listen);
    note("plain_listen", before.plain_listen == after.plain_listen);
    note("metrics_listen", before.metrics_listen == after.metrics_listen);
    note("log_format", before.log_format == after.log_format);
    note("threads", before.threads == after.threads);
    return changed;
}

void keep_fixed(const RelayConfig& before, RelayConfig& after) {
    after.state_dir = before.state_dir;
    after.https_listen = before.https_listen;
    after.http_listen = before.http_listen;
    after.plain_listen = before.plain_listen;
    after.metrics_listen = before.metrics_listen;
    after.log_format = before.log_format;
    after.threads = before.threads;
}

}  // namespace sallyport::relay
