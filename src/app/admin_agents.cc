#include "app/admin_agents.h"

#include <fmt/format.h>

#include <chrono>
#include <optional>
#include <thread>

#include "app/admin_agent_keys.h"
#include "app/table.h"

namespace sallyport::app {
namespace {

namespace json = boost::json;

std::string path_of(const std::string& name, std::string_view tail = {}) { return path_of_agent(name, tail); }

std::string urls_of(const json::object& agent) {
    std::string urls;
    for (const json::value& route : array_of(agent, "routes"))
        urls += (urls.empty() ? "" : " ") + text_of(route.as_object(), "url");
    return urls.empty() ? "-" : urls;
}

std::string state_of(const json::object& agent) {
    if (!flag_of_member(agent, "enabled")) return "disabled";
    return flag_of_member(agent, "online") ? "online" : "offline";
}

std::string or_dash(std::string text) { return text.empty() ? "-" : text; }

void show_list(const json::object& answer) {
    Table table({"NAME", "STATE", "FROM", "LAST SEEN", "ROUTES"});
    for (const json::value& item : array_of(answer, "agents")) {
        const json::object& agent = item.as_object();
        table.add({text_of(agent, "name"), state_of(agent), or_dash(text_of(object_of(agent, "tunnel"), "peer")),
                   or_dash(text_of(agent, "last_seen_at")), urls_of(agent)});
    }
    print(table.text());
}

std::string state_of_credential(const json::object& credential) {
    if (flag_of_member(credential, "revoked")) return "revoked";
    if (const std::string retires = text_of(credential, "retires_at"); !retires.empty()) return "replaced, works until " + retires;
    const std::string used = text_of(credential, "used_at");
    return used.empty() ? "valid" : "used " + used;
}

void show_one(const json::object& answer) {
    const json::object& agent = object_of(answer, "agent");
    const json::object& tunnel = object_of(agent, "tunnel");
    Table facts({"agent", text_of(agent, "name")});
    facts.add({"state", state_of(agent)});
    facts.add({"id", text_of(agent, "id")});
    facts.add({"created", text_of(agent, "created_at")});
    facts.add({"last seen", or_dash(text_of(agent, "last_seen_at"))});
    if (!tunnel.empty()) {
        facts.add({"from", text_of(tunnel, "peer") + " since " + text_of(tunnel, "connected_at")});
        facts.add({"version", text_of(tunnel, "version")});
        facts.add({"round trip", fmt::format("{:.1f} ms", number_of(tunnel, "round_trip_ms"))});
        facts.add({"streams", text_of(tunnel, "open_streams")});
        facts.add({"in flight", text_of(tunnel, "requests_in_flight") + " of " + text_of(tunnel, "concurrency_limit")});
        if (const json::object& other = object_of(tunnel, "refused_newcomer"); !other.empty())
            facts.add({"refused", text_of(other, "peer") + " " + text_of(other, "attempts") + " times, last at " + text_of(other, "last_refused_at") +
                                      (flag_of_member(other, "takes_over") ? ", is let in at its next attempt" : "")});
    }
    print(facts.text());
    if (const json::array& routes = array_of(agent, "routes"); !routes.empty()) {
        Table table({"ROUTE", "TARGET", "HEALTH", "SINCE", "LAST PROBE"});
        for (const json::value& item : routes) {
            const json::object& route = item.as_object();
            const json::object& health = object_of(route, "health");
            table.add({text_of(route, "url"), text_of(route, "target"), health_text(route), or_dash(text_of(health, "since")), or_dash(text_of(health, "probed_at"))});
        }
        print("\n" + table.text());
    }
    if (const json::array& targets = array_of(tunnel, "targets"); !targets.empty()) {
        Table table({"TARGET", "HOME ASSISTANT", "X-FORWARDED-FOR", "TRUSTED NETWORKS"});
        for (const json::value& item : targets) {
            const json::object& target = item.as_object();
            table.add({text_of(target, "name"), flag_of_member(target, "home_assistant") ? "yes" : "no",
                       text_of(target, "forwarded_for"), flag_of_member(target, "trusted_networks") ? "yes" : "no"});
        }
        print("\n" + table.text());
    }
    Table credentials({"CREDENTIAL", "KIND", "CREATED", "STATE", "FINGERPRINT"});
    for (const json::value& item : array_of(agent, "credentials")) {
        const json::object& credential = item.as_object();
        credentials.add({text_of(credential, "id"), text_of(credential, "kind"), text_of(credential, "created_at"),
                         state_of_credential(credential), or_dash(text_of(credential, "fingerprint"))});
    }
    print("\n" + credentials.text());
}

// The secret alone on standard output; what it is for on standard error.
void show_secret(const json::object& answer) {
    const std::string name = printable(text_of(object_of(answer, "agent"), "name"));
    if (const std::string code = text_of(answer, "enroll"); !code.empty()) {
        print_note("Enrolment code of " + name + ", for one agent, until " + text_of(answer, "expires_at") +
                   ".\nAt home run `sallyport agent --enroll` and paste it:\n");
        print(code + "\n");
    } else if (const std::string key = text_of(answer, "api_key"); !key.empty()) {
        print_note("Token of " + name + " (api_key), shown this once:\n");
        print(key + "\n");
    } else if (const std::string device = text_of(answer, "device_id"); !device.empty()) {
        print_note("Credential of " + name + ", shown this once:\n");
        print("device_id: " + device + "\nsecret: " + text_of(answer, "secret") + "\n");
    }
}

void show_added(const json::object& answer) {
    const json::object& agent = object_of(answer, "agent");
    print_note("Added " + printable(text_of(agent, "name")) + ".\n");
    for (const json::value& route : array_of(agent, "routes"))
        print_note("  " + printable(text_of(route.as_object(), "url")) + " leads to " +
                   printable(text_of(route.as_object(), "target")) + "\n");
    if (array_of(agent, "routes").empty()) print_note("  It has no route yet: sallyport admin route add HOSTNAME AGENT\n");
    show_secret(answer);
    show_ssh_access(answer);
}

// ---- the commands and their options

struct CredentialChoice {
    explicit CredentialChoice(CLI::App& command) {
        CLI::Option* as_token = command.add_flag("--token", token, "make a reusable token (api_key) instead of an enrolment code");
        command.add_flag("--device", device, "make a device_id and secret instead of an enrolment code")->excludes(as_token);
    }
    void put_into(json::object& body) const {
        if (token) body["credential"] = "token";
        if (device) body["credential"] = "device";
    }
    bool token = false;
    bool device = false;
};

Result<json::array> parse_targets(const std::vector<std::string>& words) {
    json::array targets;
    for (const std::string& word : words) {
        const std::size_t equals = word.find('=');
        if (equals == std::string::npos)
            return fail(Errc::invalid_argument, "--target " + word + ": write NAME=scheme://host:port");
        targets.push_back({{"name", word.substr(0, equals)}, {"url", word.substr(equals + 1)}});
    }
    return targets;
}

struct AddAgent {
    explicit AddAgent(CLI::App& command) : credential(command) {
        command.add_option("NAME", name, "what the agent is called: one DNS label")->required();
        command.add_option("--hostname", hostnames, "public hostname that leads to it; may be given again; *.example.org too")
            ->type_name("HOST")
            ->allow_extra_args(false);
        command.add_option("--target", targets, "service at home to propose to the agent, as NAME=scheme://host:port; may be given again")
            ->type_name("NAME=URL")
            ->allow_extra_args(false);
        command.add_option("--key", public_key, "the agent's public key, as it prints it: enrolled at once, without a code")->type_name("KEY");
        command.add_option("--ssh-key", ssh_keys, "an SSH public key in quotes (a line of authorized_keys), or @FILE: a stock ssh -R may connect with it; may be given again")
            ->type_name("KEY")
            ->allow_extra_args(false);
        command.add_option("--limit", limit, "most requests in flight")->type_name("N");
    }
    Result<json::object> body() const {
        const auto proposed = parse_targets(targets);
        if (!proposed) return std::unexpected(proposed.error());
        json::object body{{"name", name}};
        if (!hostnames.empty()) body["hostnames"] = json::value_from(hostnames);
        if (!proposed->empty()) body["targets"] = *proposed;
        if (!public_key.empty()) body["public_key"] = public_key;
        if (!ssh_keys.empty()) {
            const auto lines = read_ssh_keys(ssh_keys);
            if (!lines) return std::unexpected(lines.error());
            body["ssh_keys"] = json::value_from(*lines);
        }
        if (limit) body["concurrency_limit"] = *limit;
        credential.put_into(body);
        return body;
    }
    std::string name;
    std::vector<std::string> hostnames;
    std::vector<std::string> targets;
    std::string public_key;
    std::vector<std::string> ssh_keys;
    std::optional<std::uint32_t> limit;
    CredentialChoice credential;
};

struct OneAgent {
    explicit OneAgent(CLI::App& command) { command.add_option("NAME", name, "the agent")->required(); }
    std::string name;
};

struct RotateAgent : OneAgent {
    explicit RotateAgent(CLI::App& command) : OneAgent(command), credential(command) {
        command.add_option("--keep-old", keep_old, "let the old credential work for so long beside the new one, like 1h (at most 720h)")
            ->type_name("DURATION");
    }
    CredentialChoice credential;
    std::string keep_old;
};

struct TakeOverAgent : OneAgent {
    explicit TakeOverAgent(CLI::App& command) : OneAgent(command) {
        command.add_option("--wait", wait_s, "seconds to wait for its next attempt (default 90; 0: not at all)")->type_name("SECONDS")->check(CLI::Range(0, 3600));
    }
    int wait_s = 90;  // an agent that was refused tries again within 60 s by default
};

// Decides, then looks until the tunnel is another one.
Result<> take_over(AdminContext& context, const TakeOverAgent& options) {
    const AdminClient client = context.client();
    auto answer = client.ask_json("POST", path_of(options.name, "/takeover"));
    if (!answer) return std::unexpected(answer.error());
    const json::object before = object_of(object_of(*answer, "agent"), "tunnel");
    const std::string other = text_of(object_of(before, "refused_newcomer"), "peer");
    const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(options.wait_s);
    while (true) {
        answer = client.ask_json("GET", path_of(options.name));
        if (!answer) return std::unexpected(answer.error());
        const json::object& tunnel = object_of(object_of(*answer, "agent"), "tunnel");
        if (const std::string session = text_of(tunnel, "session"); !session.empty() && session != text_of(before, "session")) {
            if (context.json()) print(json::serialize(*answer) + "\n");
            else print(printable(options.name + " is connected from " + text_of(tunnel, "peer") + " now; before it was " + text_of(before, "peer")) + "\n");
            return {};
        }
        if (std::chrono::steady_clock::now() >= until) break;
        std::this_thread::sleep_for(std::chrono::milliseconds(200));
    }
    if (context.json()) print(json::serialize(*answer) + "\n");
    else print(printable("decided: whoever comes from " + other + " takes the place of " + text_of(before, "peer") + " at its next attempt, within 10 minutes") + "\n");
    return {};
}

void add_switch(AdminContext& context, CLI::App& agent, const char* name, const char* help, bool enabled) {
    CLI::App* command = agent.add_subcommand(name, help);
    auto options = std::make_shared<OneAgent>(*command);
    context.on(command, [&context, options, name, enabled] {
        return context.show("PATCH", path_of(options->name), {{"enabled", enabled}}, [&](const json::object&) {
            print(std::string(name) + "d " + options->name + "\n");
        });
    });
}

}  // namespace

std::string path_of_agent(const std::string& name, std::string_view tail) {
    // A name with a slash would be another path; the relay's own check words the refusal for everything else.
    std::string safe = name;
    for (char& c : safe)
        if (c == '/' || c == '?' || c == '#' || static_cast<unsigned char>(c) <= 0x20 || c == 0x7F) c = '_';
    return "agents/" + safe + std::string(tail);
}

void show_ssh_access(const json::object& answer) {
    const json::object& ssh = object_of(answer, "ssh");
    if (ssh.empty()) return;
    print_note("SSH: connect from home with\n  " + printable(text_of(ssh, "command")) + "\nThe relay's host key is " + printable(text_of(ssh, "fingerprint")) +
               "; for known_hosts:\n  " + printable(text_of(ssh, "known_hosts")) + "\n");
}

void add_agent_actions(AdminContext& context) {
    CLI::App* agent = context.command().add_subcommand("agent", "Agents: who may connect");
    agent->require_subcommand(1);
    agent->fallthrough();

    CLI::App* add = agent->add_subcommand("add", "Add an agent and print its enrolment code");
    auto adding = std::make_shared<AddAgent>(*add);
    context.on(add, [&context, adding]() -> Result<> {
        const auto body = adding->body();
        if (!body) return std::unexpected(body.error());
        return context.show("POST", "agents", *body, show_added);
    });

    CLI::App* list = agent->add_subcommand("list", "All agents");
    context.on(list, [&context] { return context.show("GET", "agents", {}, show_list); });

    CLI::App* show = agent->add_subcommand("show", "One agent, its routes and credentials");
    auto showing = std::make_shared<OneAgent>(*show);
    context.on(show, [&context, showing] { return context.show("GET", path_of(showing->name), {}, show_one); });

    add_switch(context, *agent, "disable", "Cut its tunnel and refuse it until it is enabled", false);
    add_switch(context, *agent, "enable", "Let it connect again", true);

    CLI::App* remove = agent->add_subcommand("remove", "Remove it with its credentials and routes");
    auto removing = std::make_shared<OneAgent>(*remove);
    context.on(remove, [&context, removing] {
        return context.show("DELETE", path_of(removing->name), {},
                            [&](const json::object&) { print("removed " + removing->name + "\n"); });
    });

    add_agent_key_actions(context, *agent);

    CLI::App* takeover = agent->add_subcommand("takeover", "Let the process in that was refused while another one with its credential is connected");
    auto taking_over = std::make_shared<TakeOverAgent>(*takeover);
    context.on(takeover, [&context, taking_over] { return take_over(context, *taking_over); });

    CLI::App* rotate = agent->add_subcommand("rotate", "Print a new enrolment code and revoke all its old credentials, which cuts its tunnel");
    auto rotating = std::make_shared<RotateAgent>(*rotate);
    context.on(rotate, [&context, rotating] {
        json::object body;
        rotating->credential.put_into(body);
        if (!rotating->keep_old.empty()) body["keep_old"] = rotating->keep_old;
        return context.show("POST", path_of(rotating->name, "/rotate"), body, show_secret);
    });
}

}  // namespace sallyport::app
