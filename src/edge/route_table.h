// route_table.h: all routes, ready to be asked: exact hostname, else wildcard of one label, then the longest path prefix.
// Every loop may read one; a change makes another that shares all but the changed name with it, so it costs the same however
// many routes there are. So does asking: one or two look-ups for the name, and one for each path segment that some route of
// that name goes on with.
#pragma once
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/shared_map.h"
#include "edge/route.h"

namespace sallyport {

class RouteTable {
public:
    // The routes of one hostname pattern. Lives as long as any table that has it.
    class Site;

    // Of two routes for the same hostname and prefix the first counts.
    explicit RouteTable(std::vector<Route> routes = {});

    // For who makes the next table, out of a copy of this one: the routes of one hostname pattern ("*.example.org" as such), and
    // others instead of them. They all have that hostname.
    std::vector<Route> routes_of(const std::string& hostname) const;
    void set_routes_of(const std::string& hostname, std::vector<Route> routes);

    // `host`: lower-case, without port. Null if no route names it.
    const Site* site(std::string_view host) const;

    // `path` as sent, without query. A disabled route is found too: it must not fall through to a shorter prefix.
    static const Route* find(const Site& site, std::string_view path);
    const Route* find(std::string_view host, std::string_view path) const;

    // The agent that serves a server name (SNI): where paths lead to several agents the one of the shortest prefix. "" if none.
    // Only a hint for choosing a loop.
    std::string_view agent_for_server_name(std::string_view server_name) const;

    // Hostnames of all routes, wildcards included, each once.
    std::vector<std::string> hostnames() const;

private:
    SharedMap<std::shared_ptr<const Site>> exact_;
    SharedMap<std::shared_ptr<const Site>> wildcard_;  // by what stands behind "*."
};

}  // namespace sallyport
