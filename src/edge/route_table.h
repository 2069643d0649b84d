// route_table.h: all routes, ready to be asked: exact hostname, else wildcard of one label, then the longest path prefix.
// Immutable, so every loop may read one; a change builds a new one. Asking costs hash look-ups only: one or two for the
// name, and one for each path segment that some route of that name goes on with, however many routes there are.
#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "edge/route.h"

namespace sallyport {

class RouteTable {
public:
    // The routes of one hostname pattern. Lives as long as the table.
    class Site;

    // Of two routes for the same hostname and prefix the first counts.
    explicit RouteTable(std::vector<Route> routes = {});
    ~RouteTable();
    RouteTable(const RouteTable&) = delete;
    RouteTable& operator=(const RouteTable&) = delete;

    // `host`: lower-case, without port. Null if no route names it.
    const Site* site(std::string_view host) const;

    // `path` as sent, without query. A disabled route is found too: it must not fall through to a shorter prefix.
    static const Route* find(const Site& site, std::string_view path);
    const Route* find(std::string_view host, std::string_view path) const;

    // The agent that serves a server name (SNI): where paths lead to several agents the one of the shortest prefix. "" if none.
    // Only a hint for choosing a loop.
    std::string_view agent_for_server_name(std::string_view server_name) const;

    const std::vector<Route>& routes() const { return routes_; }
    std::size_t index_of(const Route& route) const { return static_cast<std::size_t>(&route - routes_.data()); }

private:
    struct Hash {
        using is_transparent = void;
        std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>{}(text); }
    };
    using Sites = std::unordered_map<std::string, std::unique_ptr<Site>, Hash, std::equal_to<>>;
    std::vector<Route> routes_;
    Sites exact_;
    Sites wildcard_;  // by what stands behind "*."
};

}  // namespace sallyport
