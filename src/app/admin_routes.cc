#include "app/admin_routes.h"

#include "app/admin_tcp_routes.h"
#include "app/route_policy_flags.h"
#include "app/switch_flag.h"
#include "app/table.h"

namespace sallyport::app {
namespace {

namespace json = boost::json;

std::string options_of(const json::object& route) {
    std::string options;
    const auto add = [&](const std::string& word) { options += (options.empty() ? "" : " ") + word; };
    if (!flag_of_member(route, "enabled")) add("disabled");
    if (flag_of_member(route, "strip_prefix")) add("strip-prefix");
    if (!flag_of_member(route, "preserve_host")) add("no-preserve-host");
    if (const std::string forward = text_of(route, "forward_client_ip"); forward != "auto") add("forward-client-ip=" + forward);
    if (const std::string timeout = text_of(route, "request_timeout"); !timeout.empty()) add("request-timeout=" + timeout);
    if (const std::string path = text_of(route, "health_path"); !path.empty()) add("health-path=" + path);
    for (const std::string& word : words_of_policy(object_of(route, "policy"))) add(word);
    return options.empty() ? "-" : options;
}

std::string whole(const json::value& value) {
    if (const auto* text = value.if_string()) return std::string(text->begin(), text->end());
    return json::serialize(value);
}

// Everything about one route: of a list, one row for each member.
void show_all(const json::object& answer) {
    const json::object& route = object_of(answer, "route");
    Table table({"SETTING", "VALUE"});
    const auto add = [&](const json::object& from) {
        for (const auto& [key, value] : from) {
            if (value.is_object() || (value.is_array() && value.get_array().empty())) continue;
            if (value.is_null()) continue;
            if (!value.is_array()) table.add({std::string(key), whole(value)});
            else
                for (const json::value& item : value.get_array()) table.add({std::string(key), whole(item)});
        }
    };
    add(route);
    table.add({"health", health_text(route)});
    add(object_of(route, "policy"));
    print(table.text());
}

void show_list(const json::object& answer) {
    Table table({"URL", "AGENT", "TARGET", "HEALTH", "OPTIONS", "ID"});
    for (const json::value& item : array_of(answer, "routes")) {
        const json::object& route = item.as_object();
        table.add({text_of(route, "url"), text_of(route, "agent"), text_of(route, "target"), health_text(route), options_of(route), text_of(route, "id")});
    }
    print(table.text());
}

void show_one(const json::object& answer) {
    const json::object& route = object_of(answer, "route");
    print(printable(text_of(route, "url") + " leads to " + text_of(route, "target") + " of " + text_of(route, "agent")) + "\n");
}

// The id of what a person calls "home.example.org/radio" or by its id.
Result<std::string> find_route(const AdminContext& context, const std::string& word) {
    const auto answer = context.client().ask_json("GET", "routes");
    if (!answer) return std::unexpected(answer.error());
    const std::size_t slash = word.find('/');
    const std::string hostname = word.substr(0, slash);
    const std::string prefix = slash == std::string::npos ? "/" : word.substr(slash);
    for (const json::value& item : array_of(*answer, "routes")) {
        const json::object& route = item.as_object();
        std::string id = text_of(route, "id");
        if (id == word || (text_of(route, "hostname") == hostname && text_of(route, "path_prefix") == prefix)) return id;
    }
    return fail(Errc::not_found, "no route " + word + " (sallyport admin route list shows them)");
}

// What `add` and `set` share. Only what was given goes into the request.
struct RouteOptions {
    explicit RouteOptions(CLI::App& command)
        : enabled(command, "--enabled,!--disabled", "serve it, or answer as for an unknown host"),
          strip_prefix(command, "--strip-prefix,!--no-strip-prefix", "the service sees the path without the prefix"),
          preserve_host(command, "--preserve-host,!--no-preserve-host", "the service sees the visitor's Host (default), or its own"),
          policy(command) {
        command.add_option("--forward-client-ip", forward_client_ip, "tell the service the visitor's address: auto, always or never")
            ->type_name("WHEN");
        command.add_option("--request-timeout", request_timeout, "how long the service may think, like 2m; default: the agent's own")
            ->type_name("DURATION");
        command.add_option("--health-path", health_path, "what the relay asks the service for to see whether it works, like /manifest.json; off: only connect")
            ->type_name("PATH");
    }
    Result<> put_into(json::object& body) const {
        enabled.put_into(body, "enabled");
        strip_prefix.put_into(body, "strip_prefix");
        preserve_host.put_into(body, "preserve_host");
        if (!forward_client_ip.empty()) body["forward_client_ip"] = forward_client_ip;
        if (request_timeout == "default") body["request_timeout"] = nullptr;
        else if (!request_timeout.empty()) body["request_timeout"] = request_timeout;
        if (health_path == "off") body["health_path"] = nullptr;
        else if (!health_path.empty()) body["health_path"] = health_path;
        return policy.put_into(body);
    }
    SwitchFlag enabled;
    SwitchFlag strip_prefix;
    SwitchFlag preserve_host;
    std::string forward_client_ip;
    std::string request_timeout;
    std::string health_path;
    RoutePolicyFlags policy;
};

struct AddRoute {
    explicit AddRoute(CLI::App& command) : options(command) {
        command.add_option("HOSTNAME", hostname, "home.example.org, *.example.org, or with a path prefix behind it");
        command.add_option("AGENT", agent, "its agent");
        command.add_option("TARGET", target, "the agent's target (default: the first proposed one, else homeassistant)");
        command.add_option("--path-prefix", path_prefix, "only paths that begin with it")->type_name("PATH");
        command.add_option("--forward", forward, "instead of HOSTNAME: a TCP route, written as for ssh -R and autossh, like 127.0.0.1:1883:core-mosquitto:1883 AGENT")
            ->type_name("LINE");
    }
    Result<json::object> body() const {
        if (agent.empty()) return fail(Errc::invalid_argument, "route add: write HOSTNAME AGENT, or --forward LINE AGENT");
        const std::size_t slash = hostname.find('/');
        json::object body{{"hostname", hostname.substr(0, slash)}, {"agent", agent}};
        if (!path_prefix.empty()) body["path_prefix"] = path_prefix;
        else if (slash != std::string::npos) body["path_prefix"] = hostname.substr(slash);
        if (!target.empty()) body["target"] = target;
        if (auto put = options.put_into(body); !put) return std::unexpected(put.error());
        return body;
    }
    std::string hostname;
    std::string agent;
    std::string target;
    std::string path_prefix;
    std::string forward;
    RouteOptions options;
};

struct SetRoute {
    explicit SetRoute(CLI::App& command) : options(command) {
        command.add_option("ROUTE", route, "its id, or hostname and path prefix")->required();
        command.add_option("--agent", agent, "let it lead to another agent")->type_name("NAME");
        command.add_option("--target", target, "let it lead to another target")->type_name("NAME");
    }
    Result<json::object> body() const {
        json::object body;
        if (!agent.empty()) body["agent"] = agent;
        if (!target.empty()) body["target"] = target;
        if (auto put = options.put_into(body); !put) return std::unexpected(put.error());
        return body;
    }
    std::string route;
    std::string agent;
    std::string target;
    RouteOptions options;
};

}  // namespace

void add_route_actions(AdminContext& context) {
    CLI::App* route = context.command().add_subcommand("route", "Routes: which hostname leads where");
    route->require_subcommand(1);
    route->fallthrough();

    CLI::App* add = route->add_subcommand("add", "Lead a hostname, or paths of it, to an agent's target");
    auto adding = std::make_shared<AddRoute>(*add);
    context.on(add, [&context, adding]() -> Result<> {
        if (!adding->forward.empty()) return add_forward(context, adding->forward, adding->hostname);
        const auto body = adding->body();
        if (!body) return std::unexpected(body.error());
        return context.show("POST", "routes", *body, show_one);
    });

    CLI::App* list = route->add_subcommand("list", "All routes");
    context.on(list, [&context] { return context.show("GET", "routes", {}, show_list); });

    CLI::App* show = route->add_subcommand("show", "One route, with all its settings");
    auto shown = std::make_shared<std::string>();
    show->add_option("ROUTE", *shown, "its id, or hostname and path prefix")->required();
    context.on(show, [&context, shown]() -> Result<> {
        const auto id = find_route(context, *shown);
        if (!id) return std::unexpected(id.error());
        return context.show("GET", "routes/" + *id, {}, show_all);
    });

    CLI::App* set = route->add_subcommand("set", "Change a route");
    auto setting = std::make_shared<SetRoute>(*set);
    context.on(set, [&context, setting]() -> Result<> {
        const auto id = find_route(context, setting->route);
        if (!id) return std::unexpected(id.error());
        const auto body = setting->body();
        if (!body) return std::unexpected(body.error());
        return context.show("PATCH", "routes/" + *id, *body, show_one);
    });

    CLI::App* remove = route->add_subcommand("remove", "Remove a route");
    auto word = std::make_shared<std::string>();
    remove->add_option("ROUTE", *word, "its id, or hostname and path prefix")->required();
    context.on(remove, [&context, word]() -> Result<> {
        const auto id = find_route(context, *word);
        if (!id) return std::unexpected(id.error());
        return context.show("DELETE", "routes/" + *id, {}, [&](const json::object&) { print("removed " + *word + "\n"); });
    });
}

}  // namespace sallyport::app
