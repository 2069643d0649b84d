#include "relay/admin_agents.h"

#include <algorithm>
#include <unordered_map>

#include "base/encoding.h"
#include "relay/ssh_key_rules.h"
#include "store/credential.h"
#include "store/rules.h"
#include "wire/ed25519.h"
#include "wire/enrolment_code.h"
#include "wire/known_hosts.h"
#include "wire/url.h"

namespace sallyport::relay {
namespace {

namespace json = boost::json;

json::object describe(AdminCall& call, const store::Agent& agent, const std::vector<store::Route>& routes) {
    json::object described = to_json(agent, call.live_agent(agent.id));
    json::array listed;
    for (const store::Route& route : routes) listed.push_back(describe_route(call, route, agent));
    described["routes"] = std::move(listed);
    return described;
}

ApiResult<json::object> describe(AdminCall& call, const store::Agent& agent) {
    const auto routes = call.store.list_routes(agent.id);
    if (!routes) return told(routes);
    return describe(call, agent, *routes);
}

Result<std::string> url_for_codes_of(AdminCall& call, const store::Agent& agent) {
    const auto routes = call.store.list_routes(agent.id);
    if (!routes) return std::unexpected(routes.error());
    return enrolment_url(call.facts, *routes);
}

// Puts the new credential's secret into the answer, in the form in which it is used: shown this once.
ApiResult<> show_secret(AdminCall& call, const store::Agent& agent, const store::IssuedCredential& issued, json::object& answer) {
    const std::string& id = issued.credential.id.text;
    switch (issued.credential.kind) {
        case store::CredentialKind::token: {
            answer["api_key"] = store::format_api_key(issued).reveal();
            return {};
        }
        case store::CredentialKind::device: {
            answer["device_id"] = id;
            answer["secret"] = issued.secret.reveal();
            return {};
        }
        default: break;
    }
    const auto url = url_for_codes_of(call, agent);
    if (!url) return told(url);
    EnrolmentCode code{*url, call.facts.pin, id, issued.secret, {}};
    for (const store::ProposedTarget& target : agent.proposed_targets) code.targets.push_back({target.name, target.url});
    const auto text = format_enrolment_code(code);
    if (!text) return told(text);
    answer["enroll"] = text->reveal();
    if (issued.credential.expires_at) answer["expires_at"] = iso_time(*issued.credential.expires_at);
    return {};
}

ApiResult<store::AgentKey> parse_key(const std::string& text) {
    const auto octets = from_base64url(text);
    if (!octets || octets->size() != kEd25519KeyOctets)
        return api_fail(422, "invalid_argument", "public_key has to be 43 characters of base64url, as the agent prints it", "public_key");
    store::AgentKey key;
    std::ranges::copy(as_octets(*octets), key.begin());
    return key;
}

ApiResult<std::vector<AgentSshKey>> parse_ssh_keys(const std::vector<std::string>& lines) {
    std::vector<AgentSshKey> keys;
    for (const std::string& line : lines) {
        auto key = read_agent_ssh_key(line);
        if (!key) return told(key, "ssh_keys");
        keys.push_back(std::move(*key));
    }
    return keys;
}

Result<> enrol_ssh_keys(AdminCall& call, const std::string& agent, const std::vector<AgentSshKey>& keys) {
    for (const AgentSshKey& key : keys) {
        auto enrolled = call.store.enrol_ssh_key(agent, key.stored, key.same, call.author());
        if (!enrolled) return std::unexpected(Error{enrolled.error().code, key.stored.fingerprint + ": " + enrolled.error().detail});
    }
    return {};
}

// How the agent connects by a key that it was just given.
json::object describe_access(AdminCall& call, const store::Agent& agent) {
    const std::string host = ssh_host(call.facts);
    const std::uint16_t port = call.facts.ssh.address ? call.facts.ssh.address->port() : std::uint16_t{2222};
    std::string forwards = "-R 127.0.0.1:8123:localhost:8123";
    if (const auto routes = call.store.list_routes(agent.id); routes && !routes->empty() && !routes->front().hostname.starts_with("*.")) {
        const std::uint16_t local = port_of_target(routes->front().target);
        forwards = "-R " + routes->front().hostname + ":80:localhost:" + std::to_string(local != 0 ? local : 8123);
    }
    return {{"host", host},
            {"port", port},
            {"fingerprint", call.facts.ssh.host_key.fingerprint()},
            {"known_hosts", known_hosts_line(host, port, call.facts.ssh.host_key)},
            {"command", ssh_command(forwards, agent.name, host, port)}};
}

// What an enrolment code can carry (wire/enrolment_code.h).
Result<> check_targets(const std::vector<store::ProposedTarget>& targets) {
    if (targets.size() > kMaxProposedTargets)
        return fail(Errc::invalid_argument, "an enrolment code carries at most " + std::to_string(kMaxProposedTargets) + " targets");
    for (const auto& [name, url] : targets) {
        if (name.empty() || name.size() > 64 || name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-_.") != std::string::npos)
            return fail(Errc::invalid_argument, "a target's name has 1 to 64 of a-z 0-9 - _ .");
        if (auto checked = parse_target_url(url); !checked) return std::unexpected(Error{checked.error().code, url + ": " + checked.error().detail});
    }
    return {};
}

// Hostnames are checked here for the field's sake; the store checks them again.
ApiResult<store::AgentSpec> read_agent(AdminCall& call, std::optional<std::string>& public_key, std::vector<std::string>& ssh_keys) {
    BodyReader body(call.body);
    store::AgentSpec spec;
    spec.name = body.require("name", body.text("name"));
    spec.concurrency_limit = body.number("concurrency_limit");
    spec.proposed_targets = body.targets("targets").value_or(std::vector<store::ProposedTarget>{});
    spec.credential = body.credential_kind("credential").value_or(store::CredentialKind::enrolment);
    auto hostnames = body.texts("hostnames");
    public_key = body.text("public_key");
    ssh_keys = body.texts("ssh_keys").value_or(std::vector<std::string>{});
    if (auto read = body.finish(); !read) return std::unexpected(read.error());

    if (const auto name = store::check_agent_name(spec.name); !name) return told(name, "name");
    if (const auto fits = check_targets(spec.proposed_targets); !fits) return told(fits, "targets");
    if (!hostnames && !call.facts.base_domain.empty()) hostnames = std::vector{spec.name + "." + call.facts.base_domain};
    for (const std::string& hostname : hostnames.value_or(std::vector<std::string>{})) {
        if (auto checked = store::check_hostname(hostname); !checked) return told(about(hostname, std::move(checked)), "hostnames");
        store::RouteSpec route;
        route.hostname = hostname;
        if (!spec.proposed_targets.empty()) route.target = spec.proposed_targets.front().name;
        spec.routes.push_back(std::move(route));
    }
    return spec;
}

}  // namespace

AdminAnswered list_agents(AdminCall& call) {
    const auto agents = call.store.list_agents();
    const auto routes = call.store.list_routes();
    if (!agents) return told(agents);
    if (!routes) return told(routes);
    std::unordered_map<std::string, std::vector<store::Route>> routes_of;
    for (const store::Route& route : *routes) routes_of[route.agent.text].push_back(route);
    json::array listed;
    for (const store::Agent& agent : *agents)
        listed.push_back(describe(call, agent, routes_of[agent.id.text]));
    return AdminAnswer{200, json::object{{"agents", std::move(listed)}}};
}

AdminAnswered show_agent(AdminCall& call) {
    const auto agent = find_agent(call, call.arguments[0]);
    if (!agent) return told(agent);
    auto described = describe(call, *agent);
    if (!described) return std::unexpected(described.error());
    const auto credentials = call.store.list_credentials(agent->id);
    if (!credentials) return told(credentials);
    json::array listed;
    for (const store::Credential& credential : *credentials) listed.push_back(to_json(credential));
    (*described)["credentials"] = std::move(listed);
    return AdminAnswer{200, json::object{{"agent", std::move(*described)}}};
}

AdminAnswered add_agent(AdminCall& call) {
    std::optional<std::string> public_key;
    std::vector<std::string> ssh_lines;
    const auto spec = read_agent(call, public_key, ssh_lines);
    if (!spec) return std::unexpected(spec.error());
    const auto ssh_keys = parse_ssh_keys(ssh_lines);
    if (!ssh_keys) return std::unexpected(ssh_keys.error());
    if (!ssh_keys->empty())
        if (const auto open = call.host.need_ssh(); !open) return told(open, "ssh_keys");
    std::optional<store::AgentKey> key;
    if (public_key) {
        const auto parsed = parse_key(*public_key);
        if (!parsed) return std::unexpected(parsed.error());
        key = *parsed;
    }
    const bool has_key = key || !ssh_keys->empty();  // so it needs no other credential
    if (spec->credential == store::CredentialKind::enrolment && !has_key) {
        std::vector<store::Route> planned;
        for (const store::RouteSpec& route : spec->routes) planned.emplace_back().hostname = route.hostname;
        if (const auto url = enrolment_url(call.facts, planned); !url) return told(url);
    }

    const auto added = call.store.add_agent(*spec, call.author());
    if (!added) return told(added);
    json::object answer;
    if (has_key) {
        Result<> enrolled = enrol_ssh_keys(call, added->agent.name, *ssh_keys);
        const std::string_view wrong = enrolled ? "public_key" : "ssh_keys";
        if (enrolled && key)
            if (const auto own = call.store.enrol_key(added->agent.name, *key, call.author()); !own) enrolled = std::unexpected(own.error());
        if (!enrolled) {
            (void)call.store.remove_agent(added->agent.name, call.author());
            return told(enrolled, std::string(wrong));
        }
        if (const auto revoked = call.store.revoke_credential(added->issued.credential.id, call.author()); !revoked)
            return told(revoked);
    }
    call.host.refresh(call.store, {added->agent.id});
    auto described = describe(call, added->agent);
    if (!described) return std::unexpected(described.error());
    answer["agent"] = std::move(*described);
    if (!ssh_keys->empty()) {
        call.facts = call.host.facts();
        answer["ssh"] = describe_access(call, added->agent);
    }
    if (!has_key)
        if (auto shown = show_secret(call, added->agent, added->issued, answer); !shown) return std::unexpected(shown.error());
    return AdminAnswer{201, std::move(answer)};
}

AdminAnswered change_agent(AdminCall& call) {
    BodyReader body(call.body);
    const auto enabled = body.boolean("enabled");
    const auto limit = body.number("concurrency_limit");
    if (auto read = body.finish(); !read) return std::unexpected(read.error());
    auto agent = find_agent(call, call.arguments[0]);
    if (agent && enabled)
        agent = call.store.set_agent_enabled(agent->name, *enabled ? store::Enabled::yes : store::Enabled::no, call.author());
    if (agent && limit) agent = call.store.set_agent_limit(agent->name, limit, call.author());
    if (!agent) return told(agent);
    call.host.refresh(call.store, {agent->id});
    auto described = describe(call, *agent);
    if (!described) return std::unexpected(described.error());
    return AdminAnswer{200, json::object{{"agent", std::move(*described)}}};
}

AdminAnswered remove_agent(AdminCall& call) {
    const auto agent = find_agent(call, call.arguments[0]);
    const auto removed = agent ? call.store.remove_agent(agent->name, call.author()) : agent;
    if (!removed) return told(removed);
    call.host.refresh(call.store, {removed->id});
    return AdminAnswer{200, json::object{{"removed", removed->name}}};
}

AdminAnswered rotate_agent(AdminCall& call) {
    BodyReader body(call.body);
    const auto kind = body.credential_kind("credential").value_or(store::CredentialKind::enrolment);
    const auto keep_old = std::chrono::ceil<std::chrono::seconds>(
        body.duration_or_null("keep_old").value_or(std::nullopt).value_or(std::chrono::milliseconds(0)));
    if (auto read = body.finish(); !read) return std::unexpected(read.error());
    if (keep_old > store::kLongestOverlap) return api_fail(422, "invalid_argument", "keep_old is at most 720h", "keep_old");
    const auto agent = find_agent(call, call.arguments[0]);
    if (!agent) return told(agent);
    // Before anything is revoked: a new credential that can't be shown would leave the home with none.
    if (kind == store::CredentialKind::enrolment)
        if (const auto url = url_for_codes_of(call, *agent); !url) return told(url);
    const auto issued = call.store.rotate_agent(agent->name, kind, keep_old, call.author());
    if (!issued) return told(issued);
    call.host.refresh(call.store, {agent->id});
    json::object answer;
    auto described = describe(call, *agent);
    if (!described) return std::unexpected(described.error());
    answer["agent"] = std::move(*described);
    if (auto shown = show_secret(call, *agent, *issued, answer); !shown) return std::unexpected(shown.error());
    return AdminAnswer{200, std::move(answer)};
}

AdminAnswered add_keys(AdminCall& call) {
    BodyReader body(call.body);
    const auto lines = body.require("ssh_keys", body.texts("ssh_keys"));
    if (auto read = body.finish(); !read) return std::unexpected(read.error());
    const auto keys = parse_ssh_keys(lines);
    if (!keys) return std::unexpected(keys.error());
    if (keys->empty()) return api_fail(422, "invalid_argument", "ssh_keys names no key", "ssh_keys");
    const auto agent = find_agent(call, call.arguments[0]);
    if (!agent) return told(agent);
    if (const auto open = call.host.need_ssh(); !open) return told(open, "ssh_keys");
    const auto enrolled = enrol_ssh_keys(call, agent->name, *keys);
    call.host.refresh(call.store, {agent->id});  // those before the one that failed are enrolled
    if (!enrolled) return told(enrolled, "ssh_keys");
    call.facts = call.host.facts();
    auto shown = show_agent(call);
    if (shown) shown->content.as_object()["ssh"] = describe_access(call, *agent);
    return shown;
}

// Of this agent only, so that a mistaken name takes nobody else's away.
AdminAnswered revoke_credential(AdminCall& call) {
    const auto agent = find_agent(call, call.arguments[0]);
    if (!agent) return told(agent);
    const auto credentials = call.store.list_credentials(agent->id);
    if (!credentials) return told(credentials);
    const auto found = std::ranges::find(*credentials, call.arguments[1], [](const store::Credential& credential) { return credential.id.text; });
    if (found == credentials->end()) return api_fail(404, "not_found", agent->name + " has no such credential");
    if (const auto revoked = call.store.revoke_credential(found->id, call.author()); !revoked) return told(revoked);
    call.host.refresh(call.store, {agent->id});
    return show_agent(call);
}

// Nothing ends here: the live one serves until the other one is there, so that the two can't be mistaken for each other.
AdminAnswered take_over_agent(AdminCall& call) {
    BodyReader body(call.body);
    if (auto read = body.finish(); !read) return std::unexpected(read.error());
    const auto agent = find_agent(call, call.arguments[0]);
    if (!agent) return told(agent);
    const LiveAgent* live = call.live_agent(agent->id);
    if (!live) return api_fail(409, "conflict", agent->name + " isn't connected: whoever comes with its credential next is let in");
    if (!live->refused) return api_fail(409, "conflict", "nobody else has come with the credential of " + agent->name + " in the last 10 minutes");
    if (auto noted = call.store.note_takeover(agent->name, live->refused->peer, call.author()); !noted) return told(noted);
    call.host.prefer_newcomer(agent->id, live->refused->peer);
    auto described = describe(call, *agent);
    if (!described) return std::unexpected(described.error());
    return AdminAnswer{202, json::object{{"agent", std::move(*described)}}};
}

}  // namespace sallyport::relay
