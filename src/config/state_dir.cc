#include "config/state_dir.h"

#include <unistd.h>

namespace sallyport {
namespace {

bool may_use(const std::filesystem::path& folder) {
    std::error_code error;
    const auto& asked = std::filesystem::exists(folder, error) ? folder : folder.parent_path();
    return ::access(asked.c_str(), W_OK | X_OK) == 0;
}

// XDG wants relative paths to be ignored.
std::filesystem::path absolute_path(const Environment& environment, std::string_view variable) {
    const auto found = environment.find(variable);
    if (found == environment.end()) return {};
    std::filesystem::path path = found->second;
    return path.is_absolute() ? path : std::filesystem::path();
}

}  // namespace

std::filesystem::path default_state_dir(const Environment& environment) {
    const std::filesystem::path system = "/var/lib/sallyport";
    if (may_use(system)) return system;
    if (const auto state = absolute_path(environment, "XDG_STATE_HOME"); !state.empty()) return state / "sallyport";
    if (const auto home = absolute_path(environment, "HOME"); !home.empty()) return home / ".local/state/sallyport";
    return {};
}

}  // namespace sallyport
