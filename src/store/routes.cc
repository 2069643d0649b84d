// The part of Store that deals with routes.
#include "store/changes.h"
#include "store/database.h"
#include "store/rules.h"

namespace sallyport::store {
namespace {

constexpr std::chrono::milliseconds kMaxRequestTimeout = std::chrono::hours(24);

std::string subject(const Route& route) { return route.hostname + route.path_prefix; }

Result<> check_timeout(const std::optional<std::chrono::milliseconds>& timeout) {
    if (timeout && (timeout->count() <= 0 || *timeout > kMaxRequestTimeout))
        return fail(Errc::invalid_argument, "request_timeout: more than 0 and at most 24h");
    return {};
}

// What it says is the edge's business.
Result<> check_policy(const std::string& policy) {
    if (policy.size() > kMaxRoutePolicy) return fail(Errc::too_large, "policy: at most 64 KiB");
    return {};
}

std::optional<Route> find_named(soci::session& sql, std::string_view hostname, std::string_view path_prefix) {
    for (Route& route : select_routes(sql, "where hostname = :value", std::string(hostname)))
        if (route.path_prefix == path_prefix) return std::move(route);
    return std::nullopt;
}

Result<Route> get_route(soci::session& sql, const RouteId& id) {
    auto found = select_routes(sql, "where id = :value", id.text);
    if (found.empty()) return fail(Errc::not_found, "no route has that id");
    return std::move(found.front());
}

// Puts the wanted changes into the route. The agent is looked up by name.
Result<> apply(soci::session& sql, const RouteChange& change, Route& route) {
    if (change.target) {
        auto target = check_target(*change.target);
        if (!target) return std::unexpected(target.error());
        route.target = std::move(*target);
    }
    if (change.agent) {
        const auto agent = get_agent(sql, *change.agent);
        if (!agent) return std::unexpected(agent.error());
        route.agent = agent->id;
    }
    if (change.request_timeout) {
        if (auto fits = check_timeout(*change.request_timeout); !fits) return fits;
        route.request_timeout = *change.request_timeout;
    }
    if (change.policy) {
        if (auto fits = check_policy(*change.policy); !fits) return fits;
        route.policy = *change.policy;
    }
    if (change.health_path) {
        auto path = change.health_path->empty() ? Result<std::string>() : check_health_path(*change.health_path);
        if (!path) return std::unexpected(path.error());
        route.health_path = std::move(*path);
    }
    route.enabled = change.enabled.value_or(route.enabled);
    route.strip_prefix = change.strip_prefix.value_or(route.strip_prefix);
    route.preserve_host = change.preserve_host.value_or(route.preserve_host);
    route.forward_client_ip = change.forward_client_ip.value_or(route.forward_client_ip);
    return {};
}

}  // namespace

Result<Route> create_route(soci::session& sql, const Agent& agent, const RouteSpec& spec, const Author& author) {
    auto hostname = check_hostname(spec.hostname);
    if (!hostname) return std::unexpected(hostname.error());
    auto prefix = check_path_prefix(spec.path_prefix);
    if (!prefix) return std::unexpected(prefix.error());
    auto target = check_target(spec.target);
    if (!target) return std::unexpected(target.error());
    if (auto fits = check_timeout(spec.request_timeout); !fits) return std::unexpected(fits.error());
    if (auto fits = check_policy(spec.policy); !fits) return std::unexpected(fits.error());
    if (!spec.health_path.empty())
        if (auto path = check_health_path(spec.health_path); !path) return std::unexpected(path.error());
    if (find_named(sql, *hostname, *prefix)) return fail(Errc::conflict, "a route for " + *hostname + *prefix + " exists already");
    Route route{.id = {new_id()},
                .hostname = std::move(*hostname),
                .path_prefix = std::move(*prefix),
                .agent = agent.id,
                .target = std::move(*target),
                .enabled = spec.enabled,
                .strip_prefix = spec.strip_prefix,
                .preserve_host = spec.preserve_host,
                .forward_client_ip = spec.forward_client_ip,
                .request_timeout = spec.request_timeout,
                .policy = spec.policy,
                .health_path = spec.health_path,
                .created_at = author.at};
    insert_route(sql, route);
    write_audit(sql, author, "route.add", subject(route), agent.name + " " + route.target);
    return route;
}

Result<Route> Store::add_route(std::string_view agent, const RouteSpec& spec, const Author& author) {
    return database_->transact([&](soci::session& sql) -> Result<Route> {
        const auto found = get_agent(sql, agent);
        if (!found) return std::unexpected(found.error());
        return create_route(sql, *found, spec, author);
    });
}

Result<std::vector<Route>> Store::list_routes() {
    return database_->transact(
        [](soci::session& sql) -> Result<std::vector<Route>> { return select_routes(sql, "order by hostname, path_prefix"); });
}

Result<std::vector<Route>> Store::list_routes(const AgentId& agent) {
    return database_->transact([&](soci::session& sql) -> Result<std::vector<Route>> {
        return select_routes(sql, "where agent_id = :value order by hostname, path_prefix", agent.text);
    });
}

Result<Route> Store::find_route(const RouteId& id) {
    return database_->transact([&](soci::session& sql) { return get_route(sql, id); });
}

Result<Route> Store::find_route(std::string_view hostname, std::string_view path_prefix) {
    return database_->transact([&](soci::session& sql) -> Result<Route> {
        auto found = find_named(sql, hostname, path_prefix);
        if (!found) return fail(Errc::not_found, "no route has that hostname and path prefix");
        return std::move(*found);
    });
}

Result<Route> Store::set_route(const RouteId& id, const RouteChange& change, const Author& author) {
    return database_->transact([&](soci::session& sql) -> Result<Route> {
        auto route = get_route(sql, id);
        if (!route) return route;
        if (auto applied = apply(sql, change, *route); !applied) return std::unexpected(applied.error());
        update_route(sql, *route);
        write_audit(sql, author, "route.set", subject(*route));
        return route;
    });
}

Result<Route> Store::remove_route(const RouteId& id, const Author& author) {
    return database_->transact([&](soci::session& sql) -> Result<Route> {
        auto route = get_route(sql, id);
        if (!route) return route;
        sql << "delete from routes where id = :id", soci::use(id.text);
        write_audit(sql, author, "route.remove", subject(*route));
        return route;
    });
}

}  // namespace sallyport::store
