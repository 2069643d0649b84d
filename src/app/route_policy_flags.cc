#include "app/route_policy_flags.h"

#include <algorithm>
#include <cstdio>
#include <memory>

#include "base/encoding.h"

namespace sallyport::app {
namespace {

namespace json = boost::json;

constexpr std::size_t kMostUsersFile = 64 * 1024;
constexpr std::size_t kMostShown = 3;  // members of a list in one row of a table

struct CloseFile {
    void operator()(std::FILE* file) const noexcept {
        if (file != stdin) std::fclose(file);
    }
};

Result<std::string> read_users_file(const std::string& name) {
    const std::unique_ptr<std::FILE, CloseFile> file(name == "-" ? stdin : std::fopen(name.c_str(), "re"));
    if (!file) return fail_errno(errno, "open " + name);
    std::string text(kMostUsersFile + 1, '\0');
    text.resize(std::fread(text.data(), 1, text.size(), file.get()));
    if (std::ferror(file.get())) return fail_errno(errno, "read " + name);
    if (text.size() > kMostUsersFile) return fail(Errc::too_large, name + ": larger than 64 KiB");
    return text;
}

std::string shown(const json::value& value) {
    if (const auto* text = value.if_string()) return std::string(text->begin(), text->end());
    return json::serialize(value);
}

std::string shown_list(const json::array& list) {
    std::string text;
    for (std::size_t i = 0; i < list.size() && i < kMostShown; ++i) text += (i > 0 ? "," : "") + shown(list[i]);
    return list.size() > kMostShown ? text + ",…(" + std::to_string(list.size()) + ")" : text;
}

}  // namespace

Result<json::object> parse_users(std::string_view text) {
    json::object users;
    for (std::size_t number = 1; !text.empty(); ++number) {
        const std::size_t end = text.find('\n');
        std::string_view line = text.substr(0, end);
        text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
        while (line.ends_with('\r') || line.ends_with(' ')) line.remove_suffix(1);
        if (line.empty() || line.starts_with('#')) continue;
        const std::size_t colon = line.find(':');
        const auto where = [&] { return "line " + std::to_string(number) + ": "; };
        if (colon == 0 || colon == std::string_view::npos)
            return fail(Errc::invalid_argument, where() + "has to be USER:HASH (sallyport hash-password --user USER makes one)");
        if (!users.emplace(line.substr(0, colon), line.substr(colon + 1)).second) return fail(Errc::invalid_argument, where() + "the same user again");
    }
    if (users.empty()) return fail(Errc::invalid_argument, "no line USER:HASH (sallyport hash-password --user USER makes one)");
    return users;
}

void RoutePolicyFlags::add_word(CLI::App& command, const char* flag, const char* member, const char* type, const char* help, std::string_view off) {
    Flag& added = flags_.emplace_back(Flag{.member = member, .read = [off](const Flag& given) -> Result<json::value> {
                                               return given.value == off ? json::value(nullptr) : json::value(given.value);
                                           }});
    added.option = command.add_option(flag, added.value, help)->type_name(type)->group("Policy");
}

void RoutePolicyFlags::add_list(CLI::App& command, const char* flag, const char* member, const char* type, const char* help) {
    Flag& added = flags_.emplace_back(Flag{.member = member, .read = [](const Flag& given) -> Result<json::value> {
                                               if (given.values == std::vector<std::string>{"none"}) return json::value(nullptr);
                                               return json::value_from(given.values);
                                           }});
    added.option = command.add_option(flag, added.values, help)->type_name(type)->group("Policy")->expected(1)->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)->allow_extra_args(false);
}

RoutePolicyFlags::RoutePolicyFlags(CLI::App& command) {
    add_word(command, "--preset", "preset", "NAME", "home-assistant, home-assistant-restricted, or none", "none");
    add_list(command, "--allow-ip", "allow_ips", "NETWORK", "only visitors from there; again for more; none: from anywhere");
    add_list(command, "--deny-ip", "deny_ips", "NETWORK", "no visitors from there; again for more; none: nobody is denied");
    add_list(command, "--allow-path", "allow_paths", "PATH", "only these paths and those below; /a* for all that begin so; again for more; none");
    add_list(command, "--deny-path", "deny_paths", "PATH", "not these paths; again for more; none");

    Flag& users = flags_.emplace_back(Flag{.member = "basic_auth", .read = [](const Flag& given) -> Result<json::value> {
                                               const auto text = read_users_file(given.value);
                                               if (!text) return std::unexpected(text.error());
                                               auto read = parse_users(*text);
                                               if (!read) return fail(read.error().code, given.value + ": " + read.error().detail);
                                               return json::value(std::move(*read));
                                           }});
    users.option = command.add_option("--basic-auth", users.value, "ask for name and password; lines USER:HASH (sallyport hash-password), - for standard input")
                       ->type_name("FILE")
                       ->group("Policy");
    Flag& no_users = flags_.emplace_back(Flag{.member = "basic_auth", .read = [](const Flag&) -> Result<json::value> { return json::value(nullptr); }});
    no_users.option = command.add_flag("--no-basic-auth")->description("ask for no password")->group("Policy")->excludes(users.option);
    add_word(command, "--basic-auth-bearer", "basic_auth_bearer", "WHAT", "requests with a bearer token: refuse (default), or pass to the service, which has to judge them", "refuse");
    add_list(command, "--basic-auth-open-path", "basic_auth_open_paths", "PATH", "asks for no password there; again for more; none");

    add_word(command, "--max-body", "max_body", "SIZE", "the largest content of a request, like 100MiB; off", "off");
    add_word(command, "--idle-timeout", "idle_timeout", "DURATION", "ends WebSockets on which nothing was sent for so long, from 10m; off", "off");
    add_list(command, "--set-request-field", "set_request_fields", "'NAME: VALUE'", "the service gets this field; again for more; none");
    add_list(command, "--remove-request-field", "remove_request_fields", "NAME", "the service doesn't get this field; again for more; none");
    add_list(command, "--set-response-field", "set_response_fields", "'NAME: VALUE'", "visitors get this field; again for more; none");
    add_list(command, "--remove-response-field", "remove_response_fields", "NAME", "visitors don't get this field; again for more; none");

    Flag& maintenance = flags_.emplace_back(Flag{.member = "maintenance", .read = [](const Flag& given) -> Result<json::value> {
                                                     if (given.value == "on") return json::value(true);
                                                     if (given.value == "off") return json::value(nullptr);
                                                     return fail(Errc::invalid_argument, "--maintenance has to be on or off");
                                                 }});
    maintenance.option = command.add_option("--maintenance", maintenance.value, "on: answer everything with a page that says so; off")->type_name("WHETHER")->group("Policy");
    add_word(command, "--maintenance-text", "maintenance_text", "TEXT", "what that page says; default: the usual text", "default");
    add_word(command, "--maintenance-retry-after", "maintenance_retry_after", "DURATION", "when visitors should come again; default: 10m", "default");
    none_ = command.add_flag("--no-policy")->description("take back all of the above")->group("Policy");
    for (const Flag& flag : flags_) none_->excludes(flag.option);
}

Result<> RoutePolicyFlags::put_into(json::object& body) const {
    if (none_->count() > 0) {
        body["policy"] = nullptr;
        return {};
    }
    json::object policy;
    for (const Flag& flag : flags_) {
        if (flag.option->count() == 0) continue;
        auto value = flag.read(flag);
        if (!value) return std::unexpected(value.error());
        policy[flag.member] = std::move(*value);
    }
    if (!policy.empty()) body["policy"] = std::move(policy);
    return {};
}

std::vector<std::string> words_of_policy(const json::object& policy) {
    std::vector<std::string> words;
    for (const auto& [key, value] : policy) {
        std::string name(key);
        std::ranges::replace(name, '_', '-');
        if (name.ends_with('s') && value.is_array()) name.pop_back();
        if (name == "basic-auth" && value.is_array()) words.push_back("basic-auth=" + std::to_string(value.get_array().size()));
        else if (value.is_bool()) words.push_back(name + (value.get_bool() ? "=on" : "=off"));
        else if (value.is_array()) words.push_back(name + "=" + shown_list(value.get_array()));
        else words.push_back(name + "=" + shown(value));
    }
    return words;
}

}  // namespace sallyport::app
