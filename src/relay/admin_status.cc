#include "relay/admin_status.h"

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <map>

#include "base/random.h"
#include "base/version.h"
#include "edge/route_policy_json.h"
#include "net/socket.h"
#include "relay/state_dir.h"
#include "wire/known_hosts.h"

namespace sallyport::relay {
namespace {

namespace json = boost::json;

constexpr std::size_t kMostBackup = 1_GiB;

// What an owner should know about a route whose Home Assistant doesn't hear the visitor's address.
std::optional<std::string> warning_of(const store::Route& route, const LiveAgent& live) {
    if (route.forward_client_ip == store::ForwardClientIp::always) return std::nullopt;
    const auto& targets = live.view->targets;
    const auto target = std::ranges::find_if(targets, [&](const AgentView::Target& known) { return known.serves(route.target, route.id.text); });
    if (target == targets.end())
        return route.hostname + (live.over_ssh ? ": the SSH client that is connected forwards nothing for it: -R " + route.hostname + ":80:localhost:PORT"
                                               : ": the agent has no target named " + route.target);
    if (!target->home_assistant || target->forwarded_for == AgentView::ForwardedFor::accepted) return std::nullopt;
    if (target->trusted_networks && route.forward_client_ip == store::ForwardClientIp::automatic)
        return route.hostname +
               ": not served, since its login page lets local addresses in without a password (trusted_networks) and "
               "every visitor would look local; set use_x_forwarded_for and trusted_proxies in Home Assistant";
    return route.hostname +
           ": Home Assistant sees every visitor as the agent's own address; set use_x_forwarded_for and "
           "trusted_proxies there";
}

constexpr std::size_t kMostHealthWarnings = 20;

struct Looked {  // a route of either kind
    store::RouteId id;
    store::Enabled enabled;
    std::string label;
    std::string target;
    store::AgentId agent;
};

std::vector<Looked> all_routes(const std::vector<store::Route>& routes, const std::vector<store::TcpRoute>& tcp_routes) {
    std::vector<Looked> all;
    for (const store::Route& route : routes) all.push_back({route.id, route.enabled, route.hostname + route.path_prefix, route.target, route.agent});
    for (const store::TcpRoute& route : tcp_routes) all.push_back({route.id, route.enabled, "tcp " + route.listen, route.target, route.agent});
    return all;
}

// How many routes are in which state; what fails where the agent is connected is worth a warning. (Who is away is counted only.)
json::object health_of_all(AdminCall& call, const std::vector<store::Agent>& agents, const std::vector<Looked>& routes, json::array& warnings) {
    std::map<std::string_view, const store::Agent*> by_id;
    for (const store::Agent& agent : agents) by_id.emplace(agent.id.text, &agent);
    std::map<std::string_view, std::size_t> counts{{"healthy", 0}, {"unhealthy", 0}, {"unknown", 0}};
    std::size_t failing = 0;
    for (const Looked& route : routes) {
        const store::Agent& agent = *by_id.at(route.agent.text);
        const auto health = health_of(call, route.id, route.enabled, agent);
        if (!health) continue;
        ++counts[name_of(health->state)];
        if (health->state != RouteHealth::State::unhealthy || !call.live_agent(agent.id) || health->cause == "agent_offline") continue;
        if (++failing <= kMostHealthWarnings)
            warnings.emplace_back(route.label + ": " + std::string(health->cause) + " (" + std::string(name_of(health->hop)) + ") since " +
                                  iso_time(health->since) + ": " + route.target + " of " + agent.name + (health->detail.empty() ? "" : ": " + health->detail));
    }
    if (failing > kMostHealthWarnings) warnings.emplace_back("and " + std::to_string(failing - kMostHealthWarnings) + " more routes that fail (route list)");
    json::object described;
    for (const auto& [state, count] : counts) described[state] = count;
    return described;
}

// Either a restored backup, or a stolen key: only the owner can know.
std::string warning_of(const LiveAgent& live, const RefusedNewcomer& other) {
    const std::string& name = live.view->name;
    return name + ": two processes have its credential: one is connected from " + live.peer + " since " + iso_time(live.connected_at) +
           ", another was refused from " + other.peer + " " + std::to_string(other.attempts) + " times, last at " + iso_time(other.last_at) +
           (other.preferred ? " and is let in at its next attempt"
                            : "; if the second is the right one: sallyport admin agent takeover " + name +
                                  "; if you know nothing of it: sallyport admin agent rotate " + name);
}

json::object process_facts() {
    rlimit limit{};
    ::getrlimit(RLIMIT_NOFILE, &limit);
    return {{"pid", ::getpid()}, {"descriptors_open", open_descriptors()}, {"descriptors_limit", static_cast<std::int64_t>(limit.rlim_cur)}};
}

json::object describe_ssh(const AdminHost::Facts& facts) {
    const SshFacts& ssh = facts.ssh;
    const std::uint16_t port = ssh.address ? ssh.address->port() : std::uint16_t{2222};
    return {{"address", ssh.address ? json::value(ssh.address->text()) : json::value(nullptr)},
            {"why_not", ssh.why_not.empty() ? json::value(nullptr) : json::value(ssh.why_not)},
            {"fingerprint", ssh.host_key.fingerprint()},
            {"known_hosts", known_hosts_line(ssh_host(facts), port, ssh.host_key)}};
}

}  // namespace

AdminAnswered show_status(AdminCall& call) {
    const auto agents = call.store.list_agents();
    const auto routes = call.store.list_routes();
    if (!agents) return told(agents);
    const auto tcp_routes = call.store.list_tcp_routes();
    if (!routes) return told(routes);
    if (!tcp_routes) return told(tcp_routes);
    json::array listeners;
    for (const AdminHost::Listener& listener : call.facts.listeners)
        listeners.push_back({{"name", listener.name}, {"address", listener.address}});
    json::array warnings;
    for (const LiveAgent& live : call.live)
        if (live.refused) warnings.emplace_back(warning_of(live, *live.refused));
    const json::object health = health_of_all(call, *agents, all_routes(*routes, *tcp_routes), warnings);
    for (const store::Route& route : *routes)
        if (const auto policy = load_route_policy(route.policy); policy && policy->unreadable)
            warnings.emplace_back(route.hostname + route.path_prefix + ": not served, since its policy can't be read (it is damaged, or of a newer release); "
                                                                       "sallyport admin route set --no-policy takes it away, to be set anew");
    for (const store::Route& route : *routes)
        if (const LiveAgent* live = call.live_agent(route.agent); live && route.enabled == store::Enabled::yes)
            if (auto warning = warning_of(route, *live)) warnings.emplace_back(std::move(*warning));
    return AdminAnswer{200, json::object{{"version", kVersion},
                                         {"pin", call.facts.pin},
                                         {"public_url", call.facts.public_url},
                                         {"base_domain", call.facts.base_domain},
                                         {"state_dir", call.facts.state_dir.string()},
                                         {"started_at", iso_time(call.facts.started_at)},
                                         {"uptime_s", (wall_now() - call.facts.started_at).count()},
                                         {"loops", call.facts.loops},
                                         {"open_connections", call.host.open_connections()},
                                         {"agents", json::object{{"total", agents->size()}, {"online", call.live.size()}}},
                                         {"routes", routes->size()},
                                         {"health", health},
                                         {"process", process_facts()},
                                         {"listeners", std::move(listeners)},
                                         {"ssh", describe_ssh(call.facts)},
                                         {"warnings", std::move(warnings)}}};
}

AdminAnswered reload(AdminCall& call) {
    const auto notes = call.host.reload(call.store);
    if (!notes) return told(notes);
    return AdminAnswer{200, json::object{{"reloaded", true}, {"notes", json::value_from(*notes)}}};
}

AdminAnswered show_audit(AdminCall& call) {
    const auto entries = call.store.list_audit(200);
    if (!entries) return told(entries);
    json::array listed;
    for (const store::AuditEntry& entry : *entries)
        listed.push_back({{"at", iso_time(entry.at)},
                          {"actor", entry.actor},
                          {"action", entry.action},
                          {"subject", entry.subject},
                          {"detail", entry.detail}});
    return AdminAnswer{200, json::object{{"audit", std::move(listed)}}};
}

// The copy is made in the state folder, where the relay may write, and handed out as octets.
AdminAnswered backup(AdminCall& call) {
    const auto files = call.host.backup_files();
    if (!files) return told(files);
    const std::filesystem::path copy = call.facts.state_dir / (".backup-" + random_token(8));
    const auto written = call.store.backup_to(copy, *files, call.author());
    auto octets = written ? read_whole(copy, kMostBackup) : Result<std::string>(std::unexpected(written.error()));
    ::unlink(copy.c_str());
    if (!octets) return told(octets);
    return AdminAnswer{200, nullptr, std::move(*octets)};
}

}  // namespace sallyport::relay
