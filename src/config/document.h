// document.h: where configuration values come from: a file, then SALLYPORT_* variables, then flags, in rising order.
// Values carry their origin, so that a message says "relay.yaml:12", "environment SALLYPORT_X" or "--x".
#pragma once
#include <filesystem>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "config/node.h"

namespace sallyport {

using Environment = std::map<std::string, std::string, std::less<>>;

struct ConfigSources {
    std::string file_name{};                 // as the user wrote it; "" without a file
    std::optional<std::string> file_text{};  // unset without a file
    Environment environment{};               // the whole environment; variables with our prefix count
    std::vector<std::pair<std::string, std::string>> flags{};  // key (some_key, not --some-key) and value
};

Environment current_environment();

// Reads the file (at most 1 MiB). Errc::invalid_config with "name: reason".
Result<ConfigSources> read_sources(const std::optional<std::filesystem::path>& file,
                                   std::vector<std::pair<std::string, std::string>> flags);

// Variables of a program before this one: "REMOTE_HOST" is remote_host if {"REMOTE_", "remote_"} stands in the list.
struct VariablePrefix {
    std::string_view variable;
    std::string_view key;
};

enum class Layer { file, environment, flag };

struct Entry {
    std::string key;
    Layer layer = Layer::file;
    std::string where;  // "relay.yaml:12"
    Node value;
};

class Document {
public:
    // Empty variables and flags count as unset. `others`: prefixes beside ours, which go behind it.
    static Result<Document> load(const ConfigSources& sources, std::span<const VariablePrefix> others = {});

    const std::vector<Entry>& entries() const { return entries_; }  // highest layer first
    const std::string& file_name() const { return file_name_; }

private:
    std::string file_name_;
    std::vector<Entry> entries_;
};

std::string flag_of(std::string_view key);      // some_key: --some-key
std::string variable_of(std::string_view key);  // some_key: SALLYPORT_SOME_KEY

}  // namespace sallyport
