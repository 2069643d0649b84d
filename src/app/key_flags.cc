#include "app/key_flags.h"

#include <algorithm>
#include <cstdio>

namespace sallyport::app {

KeyFlags::KeyFlags(CLI::App& command, std::span<const KeyInfo> keys, std::vector<std::string_view> without) {
    command.add_option("--config", config_file_, "YAML or JSON file; SALLYPORT_* variables and flags go before it")
        ->type_name("FILE")
        ->envname("SALLYPORT_CONFIG");
    flags_.reserve(keys.size());
    for (const KeyInfo& key : keys) {
        if (!key.has_flag || std::ranges::find(without, key.name) != without.end()) continue;
        Flag& flag = flags_.emplace_back();
        flag.key = key.name;
        flag.option = command.add_option(flag_of(key.name), flag.value, std::string(key.help))->type_name(std::string(key.value_name));
        if (key.value_name == "BOOL") flag.option->expected(0, 1)->default_str("true");
    }
}

Result<ConfigSources> KeyFlags::sources(const std::filesystem::path& default_file) const {
    std::vector<std::pair<std::string, std::string>> given;
    for (const Flag& flag : flags_)
        if (flag.option->count() > 0) given.emplace_back(flag.key, flag.value);
    std::optional<std::filesystem::path> file;
    if (!config_file_.empty()) file = config_file_;
    else if (std::error_code ignored; !default_file.empty() && std::filesystem::exists(default_file, ignored)) file = default_file;
    return read_sources(file, std::move(given));
}

void tell_config_error(const Error& error) {
    std::string_view text = error.detail;
    while (!text.empty()) {
        const std::size_t end = std::min(text.find('\n'), text.size());
        std::fprintf(stderr, "sallyport: %.*s\n", static_cast<int>(end), text.data());
        text.remove_prefix(std::min(end + 1, text.size()));
    }
}

}  // namespace sallyport::app
