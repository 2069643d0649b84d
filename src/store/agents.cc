// The part of Store that deals with agents.
#include <algorithm>

#include "store/changes.h"
#include "store/database.h"
#include "store/rules.h"

namespace sallyport::store {
namespace {

constexpr std::size_t kMaxProposedTargets = 16;  // as many as an enrolment code carries

Result<std::vector<ProposedTarget>> check_proposed(const std::vector<ProposedTarget>& targets) {
    if (targets.size() > kMaxProposedTargets) return fail(Errc::too_large, "more than 16 targets for one agent");
    std::vector<ProposedTarget> checked = targets;
    for (const ProposedTarget& target : checked) {
        if (auto name = check_target(target.name); !name) return std::unexpected(name.error());
        if (auto url = check_target_url(target.url); !url) return std::unexpected(url.error());
    }
    std::ranges::sort(checked, {}, &ProposedTarget::name);
    const auto twice = std::ranges::adjacent_find(checked, {}, &ProposedTarget::name);
    if (twice != checked.end()) return fail(Errc::invalid_argument, "target \"" + twice->name + "\" is named twice");
    return checked;
}

}  // namespace

Result<Agent> get_agent(soci::session& sql, std::string_view name) {
    auto found = select_agents(sql, "where name = :value", std::string(name));
    if (found.empty()) return fail(Errc::not_found, "no agent has that name");
    return std::move(found.front());
}

Result<Agent> get_agent(soci::session& sql, const AgentId& id) {
    auto found = select_agents(sql, "where id = :value", id.text);
    if (found.empty()) return fail(Errc::not_found, "no agent has that id");
    return std::move(found.front());
}

Result<AddedAgent> Store::add_agent(const AgentSpec& spec, const Author& author) {
    auto name = check_agent_name(spec.name);
    if (!name) return std::unexpected(name.error());
    auto targets = check_proposed(spec.proposed_targets);
    if (!targets) return std::unexpected(targets.error());
    return database_->transact([&](soci::session& sql) -> Result<AddedAgent> {
        if (get_agent(sql, *name)) return fail(Errc::conflict, "an agent named " + *name + " exists already");
        AddedAgent added;
        added.agent = {.id = {new_id()},
                       .name = *name,
                       .created_at = author.at,
                       .concurrency_limit = spec.concurrency_limit,
                       .proposed_targets = *targets};
        insert_agent(sql, added.agent);
        write_audit(sql, author, "agent.add", *name);
        for (const RouteSpec& route : spec.routes) {
            auto made = create_route(sql, added.agent, route, author);
            if (!made) return std::unexpected(made.error());
            added.routes.push_back(std::move(*made));
        }
        auto issued = issue(sql, added.agent, spec.credential, author);
        if (!issued) return std::unexpected(issued.error());
        added.issued = std::move(*issued);
        return added;
    });
}

Result<std::vector<Agent>> Store::list_agents() {
    return database_->transact(
        [](soci::session& sql) -> Result<std::vector<Agent>> { return select_agents(sql, "order by name"); });
}

Result<Agent> Store::find_agent(std::string_view name) {
    return database_->transact([&](soci::session& sql) { return get_agent(sql, name); });
}

Result<Agent> Store::find_agent(const AgentId& id) {
    return database_->transact([&](soci::session& sql) { return get_agent(sql, id); });
}

Result<Agent> Store::set_agent_enabled(std::string_view name, Enabled enabled, const Author& author) {
    return database_->transact([&](soci::session& sql) -> Result<Agent> {
        auto agent = get_agent(sql, name);
        if (!agent || agent->enabled == enabled) return agent;
        agent->enabled = enabled;
        update_agent(sql, *agent);
        write_audit(sql, author, enabled == Enabled::yes ? "agent.enable" : "agent.disable", name);
        return agent;
    });
}

Result<Agent> Store::set_agent_limit(std::string_view name, std::optional<std::uint32_t> limit, const Author& author) {
    return database_->transact([&](soci::session& sql) -> Result<Agent> {
        auto agent = get_agent(sql, name);
        if (!agent) return agent;
        agent->concurrency_limit = limit;
        update_agent(sql, *agent);
        write_audit(sql, author, "agent.limit", name, limit ? std::to_string(*limit) : "none");
        return agent;
    });
}

Result<Agent> Store::remove_agent(std::string_view name, const Author& author) {
    return database_->transact([&](soci::session& sql) -> Result<Agent> {
        auto agent = get_agent(sql, name);
        if (!agent) return agent;
        sql << "delete from agents where id = :id", soci::use(agent->id.text);  // the rest cascades
        write_audit(sql, author, "agent.remove", name);
        return agent;
    });
}

Result<> Store::note_takeover(std::string_view name, std::string_view by, const Author& author) {
    return database_->transact([&](soci::session& sql) -> Result<> {
        if (auto agent = get_agent(sql, name); !agent) return std::unexpected(agent.error());
        write_audit(sql, author, "agent.takeover", name, by);
        return {};
    });
}

Result<> Store::note_agents_seen(std::span<const AgentId> agents, WallTime at) {
    return database_->transact([&](soci::session& sql) -> Result<> {
        const long long seconds = at.time_since_epoch().count();
        for (const AgentId& agent : agents)
            sql << "update agents set last_seen_at = :at where id = :id", soci::use(seconds), soci::use(agent.text);
        return {};
    });
}

}  // namespace sallyport::store
