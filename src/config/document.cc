#include "config/document.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "config/yaml.h"

extern char** environ;

namespace sallyport {
namespace {

constexpr std::string_view kPrefix = "SALLYPORT_";
constexpr std::string_view kFileVariable = "SALLYPORT_CONFIG";  // names the file; no key of it

char to_upper(char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c; }
char to_lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

Result<std::string> read_bounded(const std::string& name) {
    const auto refuse = [&](int reason) {
        return fail(Errc::invalid_config, system_error(reason, name).detail);
    };
    const int descriptor = ::open(name.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);  // a FIFO must not hold us up
    if (descriptor < 0) return refuse(errno);
    std::string text(kMaxConfigFile + 1, '\0');
    std::size_t size = 0;
    int reason = 0;
    while (size < text.size()) {
        const ssize_t got = ::read(descriptor, text.data() + size, text.size() - size);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) reason = errno;
        if (got <= 0) break;
        size += static_cast<std::size_t>(got);
    }
    ::close(descriptor);
    if (reason != 0) return refuse(reason);
    if (size > kMaxConfigFile) return fail(Errc::invalid_config, name + ": larger than 1 MiB");
    text.resize(size);
    return text;
}

Node scalar(std::string text) { return Node{.kind = Node::Kind::scalar, .text = std::move(text)}; }

}  // namespace

std::string flag_of(std::string_view key) {
    std::string flag = "--" + std::string(key);
    std::ranges::replace(flag, '_', '-');
    return flag;
}

std::string variable_of(std::string_view key) {
    std::string variable{kPrefix};
    std::ranges::transform(key, std::back_inserter(variable), to_upper);
    return variable;
}

Environment current_environment() {
    Environment environment;
    for (char** each = environ; *each != nullptr; ++each) {
        const std::string_view line = *each;
        const auto equals = line.find('=');
        if (equals != std::string_view::npos) environment.emplace(line.substr(0, equals), line.substr(equals + 1));
    }
    return environment;
}

Result<ConfigSources> read_sources(const std::optional<std::filesystem::path>& file,
                                   std::vector<std::pair<std::string, std::string>> flags) {
    ConfigSources sources{.environment = current_environment(), .flags = std::move(flags)};
    if (!file) return sources;
    sources.file_name = file->string();
    auto text = read_bounded(sources.file_name);
    if (!text) return std::unexpected(text.error());
    sources.file_text = std::move(*text);
    return sources;
}

Result<Document> Document::load(const ConfigSources& sources, std::span<const VariablePrefix> others) {
    Document document;
    document.file_name_ = sources.file_name;
    for (const auto& [key, value] : sources.flags)
        if (!value.empty()) document.entries_.push_back({key, Layer::flag, flag_of(key), scalar(value)});
    const auto take_variables = [&](const VariablePrefix& prefix) {
        for (const auto& [variable, value] : sources.environment) {
            if (!variable.starts_with(prefix.variable) || variable == kFileVariable || value.empty()) continue;
            std::string key{prefix.key};
            std::ranges::transform(std::string_view(variable).substr(prefix.variable.size()), std::back_inserter(key), to_lower);
            document.entries_.push_back({std::move(key), Layer::environment, "environment " + variable, scalar(value)});
        }
    };
    take_variables({kPrefix, ""});
    for (const VariablePrefix& prefix : others) take_variables(prefix);
    if (!sources.file_text) return document;
    auto root = parse_yaml(*sources.file_text, sources.file_name);
    if (!root) return std::unexpected(root.error());
    if (root->kind != Node::Kind::mapping && root->kind != Node::Kind::null)
        return fail(Errc::invalid_config, sources.file_name + ":" + std::to_string(root->line) + ": write \"key: value\" lines");
    for (Node& node : root->items)
        document.entries_.push_back(
            {node.key, Layer::file, sources.file_name + ":" + std::to_string(node.line), std::move(node)});
    return document;
}

}  // namespace sallyport
