#include "app/admin_agent_keys.h"

#include <cerrno>
#include <fstream>
#include <iostream>
#include <iterator>
#include <memory>

#include "app/admin_agents.h"

namespace sallyport::app {
namespace {

namespace json = boost::json;

constexpr std::size_t kMostFile = 1 << 20;

Result<std::string> read_all(std::istream& in, const std::string& name) {
    std::string text(kMostFile + 1, '\0');
    in.read(text.data(), static_cast<std::streamsize>(text.size()));
    text.resize(static_cast<std::size_t>(in.gcount()));
    if (in.bad()) return fail(Errc::io, name + ": can't be read");
    if (text.size() > kMostFile) return fail(Errc::too_large, name + ": larger than 1 MiB");
    return text;
}

Result<std::string> read_file(const std::string& name) {
    if (name == "-") return read_all(std::cin, "standard input");
    std::ifstream file(name, std::ios::binary);
    if (!file) return fail_errno(errno, name);
    return read_all(file, name);
}

void append_lines(std::vector<std::string>& lines, std::string_view text) {
    while (!text.empty()) {
        const std::size_t end = std::min(text.find('\n'), text.size());
        const std::string_view line = text.substr(0, end);
        text.remove_prefix(std::min(end + 1, text.size()));
        const std::size_t begin = line.find_first_not_of(" \t\r");
        if (begin != std::string_view::npos && line[begin] != '#') lines.emplace_back(line);
    }
}

struct AddKey {
    explicit AddKey(CLI::App& command) {
        command.add_option("NAME", name, "the agent")->required();
        command.add_option("KEY", words, "a line of authorized_keys in quotes, or @FILE with such lines (@- is standard input); may be given again")->required();
    }
    std::string name;
    std::vector<std::string> words;
};

struct RemoveKey {
    explicit RemoveKey(CLI::App& command) {
        command.add_option("NAME", name, "the agent")->required();
        command.add_option("KEY", key, "its fingerprint (SHA256:…), or the credential's id")->required();
    }
    std::string name;
    std::string key;
};

Result<> remove_key(AdminContext& context, const RemoveKey& options) {
    const auto answer = context.client().ask_json("GET", path_of_agent(options.name));
    if (!answer) return std::unexpected(answer.error());
    for (const json::value& item : array_of(object_of(*answer, "agent"), "credentials")) {
        const json::object& credential = item.as_object();
        const std::string id = text_of(credential, "id");
        if (id != options.key && (text_of(credential, "fingerprint") != options.key || options.key.empty())) continue;
        if (flag_of_member(credential, "revoked")) return fail(Errc::conflict, options.key + " was revoked already");
        return context.show("DELETE", path_of_agent(options.name, "/credentials/" + id), {}, [&](const json::object&) {
            print("revoked " + text_of(credential, "kind") + " " + options.key + " of " + options.name + "\n");
        });
    }
    return fail(Errc::not_found, options.name + " has no such key; sallyport admin agent show " + options.name + " lists them");
}

}  // namespace

Result<std::vector<std::string>> read_ssh_keys(const std::vector<std::string>& words) {
    std::vector<std::string> lines;
    for (const std::string& word : words) {
        if (!word.starts_with('@')) {
            lines.push_back(word);
            continue;
        }
        const auto text = read_file(word.substr(1));
        if (!text) return std::unexpected(text.error());
        const std::size_t before = lines.size();
        append_lines(lines, *text);
        if (lines.size() == before) return fail(Errc::invalid_argument, word.substr(1) + ": there is no key in it");
    }
    return lines;
}

void add_agent_key_actions(AdminContext& context, CLI::App& agent) {
    CLI::App* add = agent.add_subcommand("add-key", "Enrol a further SSH key: a stock ssh -R, or an agent with transport ssh, may connect with it");
    auto adding = std::make_shared<AddKey>(*add);
    context.on(add, [&context, adding]() -> Result<> {
        const auto lines = read_ssh_keys(adding->words);
        if (!lines) return std::unexpected(lines.error());
        return context.show("POST", path_of_agent(adding->name, "/keys"), {{"ssh_keys", json::value_from(*lines)}}, [&](const json::object& answer) {
            print("added " + std::to_string(lines->size()) + (lines->size() == 1 ? " key" : " keys") + " to " + adding->name + "\n");
            show_ssh_access(answer);
        });
    });

    CLI::App* remove = agent.add_subcommand("remove-key", "Revoke one key (or any other credential), which cuts a tunnel that stands on it");
    auto removing = std::make_shared<RemoveKey>(*remove);
    context.on(remove, [&context, removing] { return remove_key(context, *removing); });
}

}  // namespace sallyport::app
