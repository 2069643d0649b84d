// The part of Store that deals with TCP routes, rows included.
#include <algorithm>

#include "store/changes.h"
#include "store/database.h"
#include "store/rules.h"

namespace sallyport::store {
namespace {

constexpr std::size_t kMaxListen = 64;  // "[" an IPv6 address "]:65535"
constexpr std::size_t kMaxAllowed = 256;
constexpr std::size_t kMaxNetwork = 43;

// Networks are written as one text, a space between.
std::string joined(const std::vector<std::string>& words) {
    std::string text;
    for (const std::string& word : words) text += (text.empty() ? "" : " ") + word;
    return text;
}

std::vector<std::string> split(std::string_view text) {
    std::vector<std::string> words;
    while (!text.empty()) {
        const std::size_t at = text.find(' ');
        words.emplace_back(text.substr(0, at));
        text.remove_prefix(at == std::string_view::npos ? text.size() : at + 1);
    }
    return words;
}

bool is_word(std::string_view text, std::size_t longest) {
    return !text.empty() && text.size() <= longest && std::ranges::all_of(text, [](char c) { return c > ' ' && c < 0x7f; });
}

Result<> check(const TcpRoute& route) {
    if (!is_word(route.listen, kMaxListen)) return fail(Errc::invalid_argument, "listen: an address and port, like :1883");
    if (route.allow.size() > kMaxAllowed) return fail(Errc::too_large, "allow: at most " + std::to_string(kMaxAllowed) + " networks");
    for (const std::string& network : route.allow)
        if (!is_word(network, kMaxNetwork)) return fail(Errc::invalid_argument, "allow: \"" + network.substr(0, kMaxNetwork) + "\" is no network");
    return {};
}

void update(soci::session& sql, const TcpRoute& route) {
    const int enabled = route.enabled == Enabled::yes ? 1 : 0, tls = route.tls ? 1 : 0, proxy_protocol = route.proxy_protocol ? 1 : 0;
    const std::string allow = joined(route.allow);
    sql << "update tcp_routes set agent_id = :agent, target = :target, enabled = :enabled, tls = :tls, proxy_protocol = :proxy,"
           " allow = :allow where id = :id",
        soci::use(route.agent.text), soci::use(route.target), soci::use(enabled), soci::use(tls), soci::use(proxy_protocol),
        soci::use(allow), soci::use(route.id.text);
}

void insert(soci::session& sql, const TcpRoute& route) {
    const long long created_at = route.created_at.time_since_epoch().count();
    sql << "insert into tcp_routes (id, account_id, listen, agent_id, target, enabled, tls, proxy_protocol, allow, created_at)"
           " values (:id, 'default', :listen, :agent, :target, 0, 0, 0, '', :created_at)",
        soci::use(route.id.text), soci::use(route.listen), soci::use(route.agent.text), soci::use(route.target), soci::use(created_at);
    update(sql, route);
}

Result<TcpRoute> get(soci::session& sql, const RouteId& id) {
    auto found = select_tcp_routes(sql, "where id = :value", id.text);
    if (found.empty()) return fail(Errc::not_found, "no TCP route has that id");
    return std::move(found.front());
}

}  // namespace

std::vector<TcpRoute> select_tcp_routes(soci::session& sql, std::string_view condition, std::string value) {
    const std::string query = "select id, listen, agent_id, target, enabled, tls, proxy_protocol, allow, created_at from tcp_routes " + std::string(condition);
    std::vector<TcpRoute> found;
    TcpRoute route;
    int enabled = 0, tls = 0, proxy_protocol = 0;
    std::string allow;
    long long created_at = 0;
    soci::statement statement(sql);
    statement.exchange(soci::into(route.id.text));
    statement.exchange(soci::into(route.listen));
    statement.exchange(soci::into(route.agent.text));
    statement.exchange(soci::into(route.target));
    statement.exchange(soci::into(enabled));
    statement.exchange(soci::into(tls));
    statement.exchange(soci::into(proxy_protocol));
    statement.exchange(soci::into(allow));
    statement.exchange(soci::into(created_at));
    if (query.find(":value") != std::string::npos) statement.exchange(soci::use(value));
    statement.alloc();
    statement.prepare(query);
    statement.define_and_bind();
    statement.execute();
    while (statement.fetch()) {
        route.enabled = enabled != 0 ? Enabled::yes : Enabled::no;
        route.tls = tls != 0;
        route.proxy_protocol = proxy_protocol != 0;
        route.allow = split(allow);
        route.created_at = WallTime(std::chrono::seconds(created_at));
        found.push_back(route);
    }
    return found;
}

Result<TcpRoute> Store::add_tcp_route(std::string_view agent, const TcpRouteSpec& spec, const Author& author) {
    return database_->transact([&](soci::session& sql) -> Result<TcpRoute> {
        const auto owner = get_agent(sql, agent);
        if (!owner) return std::unexpected(owner.error());
        auto target = check_target(spec.target);
        if (!target) return std::unexpected(target.error());
        TcpRoute route{.id = {new_id()},
                       .listen = spec.listen,
                       .agent = owner->id,
                       .target = std::move(*target),
                       .enabled = spec.enabled,
                       .tls = spec.tls,
                       .proxy_protocol = spec.proxy_protocol,
                       .allow = spec.allow,
                       .created_at = author.at};
        if (auto fits = check(route); !fits) return std::unexpected(fits.error());
        if (!select_tcp_routes(sql, "where listen = :value", route.listen).empty())
            return fail(Errc::conflict, "a TCP route for " + route.listen + " exists already");
        insert(sql, route);
        write_audit(sql, author, "tcp_route.add", route.listen, owner->name + " " + route.target);
        return route;
    });
}

Result<std::vector<TcpRoute>> Store::list_tcp_routes() {
    return database_->transact([](soci::session& sql) -> Result<std::vector<TcpRoute>> { return select_tcp_routes(sql, "order by listen"); });
}

Result<TcpRoute> Store::find_tcp_route(const RouteId& id) {
    return database_->transact([&](soci::session& sql) { return get(sql, id); });
}

Result<TcpRoute> Store::set_tcp_route(const RouteId& id, const TcpRouteChange& change, const Author& author) {
    return database_->transact([&](soci::session& sql) -> Result<TcpRoute> {
        auto route = get(sql, id);
        if (!route) return route;
        if (change.target) {
            auto target = check_target(*change.target);
            if (!target) return std::unexpected(target.error());
            route->target = std::move(*target);
        }
        if (change.agent) {
            const auto owner = get_agent(sql, *change.agent);
            if (!owner) return std::unexpected(owner.error());
            route->agent = owner->id;
        }
        route->enabled = change.enabled.value_or(route->enabled);
        route->tls = change.tls.value_or(route->tls);
        route->proxy_protocol = change.proxy_protocol.value_or(route->proxy_protocol);
        if (change.allow) route->allow = *change.allow;
        if (auto fits = check(*route); !fits) return std::unexpected(fits.error());
        update(sql, *route);
        write_audit(sql, author, "tcp_route.set", route->listen);
        return route;
    });
}

Result<TcpRoute> Store::remove_tcp_route(const RouteId& id, const Author& author) {
    return database_->transact([&](soci::session& sql) -> Result<TcpRoute> {
        auto route = get(sql, id);
        if (!route) return route;
        sql << "delete from tcp_routes where id = :id", soci::use(id.text);
        write_audit(sql, author, "tcp_route.remove", route->listen);
        return route;
    });
}

}  // namespace sallyport::store
