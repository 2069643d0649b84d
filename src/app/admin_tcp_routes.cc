#include "app/admin_tcp_routes.h"

#include "app/switch_flag.h"
#include "app/table.h"
#include "wire/forward_line.h"
#include "wire/listen_address.h"

namespace sallyport::app {
namespace {

namespace json = boost::json;

std::string options_of(const json::object& route) {
    std::string options;
    const auto add = [&](const std::string& word) { options += (options.empty() ? "" : " ") + word; };
    if (!flag_of_member(route, "enabled")) add("disabled");
    if (flag_of_member(route, "tls")) add("tls");
    if (flag_of_member(route, "proxy_protocol")) add("proxy-protocol");
    for (const json::value& network : array_of(route, "allow"))
        if (const auto* text = network.if_string()) add("allow=" + std::string(text->begin(), text->end()));
    return options.empty() ? "-" : options;
}

std::string state_of(const json::object& route) {
    if (!flag_of_member(route, "enabled")) return "off";
    const std::string error = text_of(route, "error");
    return error.empty() ? "listens" : error;
}

void show_list(const json::object& answer) {
    Table table({"LISTEN", "AGENT", "TARGET", "STATE", "HEALTH", "OPTIONS", "ID"});
    for (const json::value& item : array_of(answer, "tcp_routes")) {
        const json::object& route = item.as_object();
        table.add({text_of(route, "listen"), text_of(route, "agent"), text_of(route, "target"), state_of(route), health_text(route), options_of(route), text_of(route, "id")});
    }
    print(table.text());
}

void show_one(const json::object& answer) {
    const json::object& route = object_of(answer, "tcp_route");
    const std::string address = text_of(route, "address");
    print(printable("port " + (address.empty() ? text_of(route, "listen") : address) + " leads to " + text_of(route, "target") + " of " + text_of(route, "agent")) + "\n");
}

// The id of what a person calls ":1883" or by its id.
Result<std::string> find_route(const AdminContext& context, const std::string& word) {
    const auto answer = context.client().ask_json("GET", "tcp-routes");
    if (!answer) return std::unexpected(answer.error());
    const auto address = parse_listen_address(word);
    for (const json::value& item : array_of(*answer, "tcp_routes")) {
        const json::object& route = item.as_object();
        std::string id = text_of(route, "id");
        if (id == word || (address && text_of(route, "listen") == address->text())) return id;
    }
    return fail(Errc::not_found, "no TCP route " + word + " (sallyport admin tcp-route list shows them)");
}

// What `add` and `set` share. Only what was given goes into the request.
struct Options {
    explicit Options(CLI::App& command)
        : enabled(command, "--enabled,!--disabled", "listen, or not"),
          tls(command, "--tls,!--no-tls", "TLS ends at the relay, with the certificate that fits the name asked for"),
          proxy_protocol(command, "--proxy-protocol,!--no-proxy-protocol", "tell the target the visitor's address (PROXY protocol v2)"),
          allow_option(command.add_option("--allow", allow, "who may connect, like 192.0.2.0/24; again for more; all: everybody")->type_name("NETWORK")) {}
    void put_into(json::object& body) const {
        enabled.put_into(body, "enabled");
        tls.put_into(body, "tls");
        proxy_protocol.put_into(body, "proxy_protocol");
        if (allow_option->count() == 0) return;
        json::array networks;
        if (allow != std::vector<std::string>{"all"})
            for (const std::string& network : allow) networks.emplace_back(network);
        body["allow"] = std::move(networks);
    }
    SwitchFlag enabled;
    SwitchFlag tls;
    SwitchFlag proxy_protocol;
    std::vector<std::string> allow;
    CLI::Option* allow_option;
};

struct Route {
    explicit Route(CLI::App& command) : options(command) {}
    std::string listen;  // or the id
    std::string agent;
    std::string target;
    Options options;
};

}  // namespace

Result<> add_forward(const AdminContext& context, const std::string& line, const std::string& agent) {
    const auto forward = parse_forward_line(line);
    if (!forward) return std::unexpected(forward.error());
    const json::object body{{"listen", forward->listen.text()}, {"agent", agent}, {"target", forward->destination()}};
    return context.show("POST", "tcp-routes", body, [&](const json::object& answer) {
        show_one(answer);
        print("Its agent must allow that target: under services: write \"" + forward->destination() + "\": tcp://" + forward->destination() +
              ", unless it has allow_any_target\n");
    });
}

void add_tcp_route_actions(AdminContext& context) {
    CLI::App* routes = context.command().add_subcommand("tcp-route", "TCP routes: which public port leads where (MQTT, SSH, RTSP, …)");
    routes->require_subcommand(1);
    routes->fallthrough();

    CLI::App* add = routes->add_subcommand("add", "Lead a port to an agent's target");
    auto adding = std::make_shared<Route>(*add);
    add->add_option("LISTEN", adding->listen, ":1883, 127.0.0.1:1883 or [::1]:1883")->required();
    add->add_option("AGENT", adding->agent, "its agent")->required();
    add->add_option("TARGET", adding->target, "the agent's target")->required();
    context.on(add, [&context, adding] {
        json::object body{{"listen", adding->listen}, {"agent", adding->agent}, {"target", adding->target}};
        adding->options.put_into(body);
        return context.show("POST", "tcp-routes", body, show_one);
    });

    CLI::App* list = routes->add_subcommand("list", "All TCP routes");
    context.on(list, [&context] { return context.show("GET", "tcp-routes", {}, show_list); });

    CLI::App* set = routes->add_subcommand("set", "Change a TCP route");
    auto setting = std::make_shared<Route>(*set);
    set->add_option("ROUTE", setting->listen, "its id, or where it listens")->required();
    set->add_option("--agent", setting->agent, "let it lead to another agent")->type_name("NAME");
    set->add_option("--target", setting->target, "let it lead to another target")->type_name("NAME");
    context.on(set, [&context, setting]() -> Result<> {
        const auto id = find_route(context, setting->listen);
        if (!id) return std::unexpected(id.error());
        json::object body;
        if (!setting->agent.empty()) body["agent"] = setting->agent;
        if (!setting->target.empty()) body["target"] = setting->target;
        setting->options.put_into(body);
        return context.show("PATCH", "tcp-routes/" + *id, body, show_one);
    });

    CLI::App* remove = routes->add_subcommand("remove", "Remove a TCP route, and cut its connections");
    auto word = std::make_shared<std::string>();
    remove->add_option("ROUTE", *word, "its id, or where it listens")->required();
    context.on(remove, [&context, word]() -> Result<> {
        const auto id = find_route(context, *word);
        if (!id) return std::unexpected(id.error());
        return context.show("DELETE", "tcp-routes/" + *id, {}, [&](const json::object&) { print("removed " + *word + "\n"); });
    });
}

}  // namespace sallyport::app
