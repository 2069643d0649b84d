// key_flags.h: the command line's flags for configuration keys, made from config's own list: --some-key for some_key.
#pragma once
#include <CLI/App.hpp>

#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "config/document.h"
#include "config/keys.h"

namespace sallyport::app {

class KeyFlags {
public:
    // Adds --config and a flag for each key that may have one, but those in `without`.
    KeyFlags(CLI::App& command, std::span<const KeyInfo> keys, std::vector<std::string_view> without = {});
    KeyFlags(const KeyFlags&) = delete;
    KeyFlags& operator=(const KeyFlags&) = delete;

    // After parsing. Reads the file given by --config, else `default_file` if that exists. Reads it anew at each call.
    Result<ConfigSources> sources(const std::filesystem::path& default_file = {}) const;

    const std::string& config_file() const { return config_file_; }  // "" if --config was not given

private:
    struct Flag {
        std::string key;
        std::string value;
        CLI::Option* option = nullptr;
    };
    std::string config_file_;
    std::vector<Flag> flags_;  // never grows after the constructor: options point into it
};

// A configuration error is several lines, each a problem: to standard error, each behind the program's name.
void tell_config_error(const Error& error);

}  // namespace sallyport::app
