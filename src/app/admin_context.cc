#include "app/admin_context.h"

#include <cstdio>

#include "app/exit_code.h"
#include "config/state_dir.h"

namespace sallyport::app {

namespace json = boost::json;

AdminContext::AdminContext(CLI::App& command) : command_(command) {
    command.add_option("--state-dir", state_dir_, "the relay's state folder")->type_name("DIR")->envname("SALLYPORT_STATE_DIR");
    command.add_flag("--json", json_, "answers as JSON, for programs");
    command.require_subcommand(1);
    command.fallthrough();
}

AdminClient AdminContext::client() const {
    return AdminClient(state_dir_.empty() ? default_state_dir(current_environment()) : std::filesystem::path(state_dir_));
}

int AdminContext::run() const {
    for (const auto& [subcommand, action] : actions_) {
        if (!subcommand->parsed()) continue;
        const auto done = action();
        if (done) return kDone;
        std::fprintf(stderr, "sallyport admin: %s\n", done.error().detail.c_str());
        return done.error().code == Errc::unreachable ? kRelayNotRunning : kFailed;
    }
    return kWrongUsage;
}

Result<> AdminContext::show(std::string_view method, std::string_view path, const json::object& body,
                            const std::function<void(const json::object&)>& show_to_people) const {
    const auto answer = client().ask_json(method, path, body);
    if (!answer) return std::unexpected(answer.error());
    if (json_) print(json::serialize(*answer) + "\n");
    else show_to_people(*answer);
    return {};
}

std::string text_of(const json::object& object, std::string_view member) {
    const json::value* value = object.if_contains(member);
    if (!value || value->is_null()) return "";
    if (const auto* text = value->if_string()) return std::string(text->begin(), text->end());
    return json::serialize(*value);
}

double number_of(const json::object& object, std::string_view member) {
    const json::value* value = object.if_contains(member);
    return value && value->is_number() ? value->to_number<double>() : 0;
}

bool flag_of_member(const json::object& object, std::string_view member) {
    const json::value* value = object.if_contains(member);
    return value && value->is_bool() && value->get_bool();
}

const json::object& object_of(const json::object& object, std::string_view member) {
    static const json::object none;
    const json::value* value = object.if_contains(member);
    return value && value->is_object() ? value->get_object() : none;
}

const json::array& array_of(const json::object& object, std::string_view member) {
    static const json::array none;
    const json::value* value = object.if_contains(member);
    return value && value->is_array() ? value->get_array() : none;
}

std::string health_text(const json::object& route) {
    const json::object& health = object_of(route, "health");
    const std::string state = text_of(health, "state");
    if (state == "healthy") return "ok";
    if (state != "unhealthy") return "-";
    return text_of(health, "hop") + ": " + text_of(health, "cause");
}

void print(std::string_view text) { std::fwrite(text.data(), 1, text.size(), stdout); }
void print_note(std::string_view text) { std::fwrite(text.data(), 1, text.size(), stderr); }

}  // namespace sallyport::app
