#include "edge/route_table.h"

#include <algorithm>
#include <functional>
#include <unordered_map>
#include <utility>

namespace sallyport {
namespace {

constexpr std::string_view kWildcard = "*.";

}  // namespace

// A tree of path segments. "/a" sits on the node of "a"; "/a/" too, but as `below`: it needs the slash behind it.
class RouteTable::Site {
public:
    // At least one. Of two with one prefix the first counts.
    explicit Site(std::vector<Route> routes) : routes_(std::move(routes)) {
        for (const Route& route : routes_) add(route);
    }
    Site(const Site&) = delete;  // nodes point into routes_
    Site& operator=(const Site&) = delete;

    const std::vector<Route>& routes() const { return routes_; }
    const Route* find(std::string_view path) const;
    const Route* shortest() const { return shortest_; }

private:
    struct Hash {
        using is_transparent = void;
        std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>{}(text); }
    };
    struct Node {
        const Route* at = nullptr;
        const Route* below = nullptr;
        std::unordered_map<std::string, std::size_t, Hash, std::equal_to<>> children;
    };
    void add(const Route& route);

    const std::vector<Route> routes_;
    std::vector<Node> nodes_{1};
    const Route* shortest_ = nullptr;
};

void RouteTable::Site::add(const Route& route) {
    if (!shortest_ || route.path_prefix.size() < shortest_->path_prefix.size()) shortest_ = &route;
    std::string_view rest = route.path_prefix;
    if (rest.starts_with('/')) rest.remove_prefix(1);
    std::size_t node = 0;
    if (rest.empty()) {
        if (!nodes_[0].at) nodes_[0].at = &route;
        return;
    }
    while (true) {
        const std::size_t slash = rest.find('/');
        const auto [child, added] = nodes_[node].children.try_emplace(std::string(rest.substr(0, slash)), nodes_.size());
        node = child->second;
        if (added) nodes_.emplace_back();
        if (slash == std::string_view::npos) break;
        rest.remove_prefix(slash + 1);
        if (rest.empty()) {
            if (!nodes_[node].below) nodes_[node].below = &route;
            return;
        }
    }
    if (!nodes_[node].at) nodes_[node].at = &route;
}

const Route* RouteTable::Site::find(std::string_view path) const {
    const Node* node = nodes_.data();
    const Route* best = node->at;
    while (!path.empty() && !node->children.empty()) {
        path.remove_prefix(1);  // the '/' in front of the segment
        const std::size_t slash = path.find('/');
        const auto child = node->children.find(path.substr(0, slash));
        if (child == node->children.end()) break;
        node = &nodes_[child->second];
        if (node->at) best = node->at;
        if (slash == std::string_view::npos) break;
        if (node->below) best = node->below;
        path.remove_prefix(slash);
    }
    return best;
}

RouteTable::RouteTable(std::vector<Route> routes) {
    std::unordered_map<std::string, std::vector<Route>> by_name;
    for (Route& route : routes) {
        std::vector<Route>& same = by_name[route.hostname];
        same.push_back(std::move(route));
    }
    std::vector<std::pair<std::string, std::shared_ptr<const Site>>> exact;
    std::vector<std::pair<std::string, std::shared_ptr<const Site>>> wildcard;
    for (auto& [hostname, same] : by_name) {
        auto site = std::make_shared<const Site>(std::move(same));
        if (hostname.starts_with(kWildcard)) wildcard.emplace_back(hostname.substr(kWildcard.size()), std::move(site));
        else exact.emplace_back(hostname, std::move(site));
    }
    exact_ = SharedMap(std::move(exact));
    wildcard_ = SharedMap(std::move(wildcard));
}

std::vector<Route> RouteTable::routes_of(const std::string& hostname) const {
    const bool wild = hostname.starts_with(kWildcard);
    const auto* site = wild ? wildcard_.find(std::string_view(hostname).substr(kWildcard.size())) : exact_.find(hostname);
    return site ? (*site)->routes() : std::vector<Route>{};
}

void RouteTable::set_routes_of(const std::string& hostname, std::vector<Route> routes) {
    const bool wild = hostname.starts_with(kWildcard);
    auto& sites = wild ? wildcard_ : exact_;
    std::string key = wild ? hostname.substr(kWildcard.size()) : hostname;
    if (routes.empty()) return sites.erase(key);
    sites.set(std::move(key), std::make_shared<const Site>(std::move(routes)));
}

std::vector<std::string> RouteTable::hostnames() const {
    std::vector<std::string> names;
    exact_.for_each([&](const std::string& name, const auto&) { names.push_back(name); });
    wildcard_.for_each([&](const std::string& name, const auto&) { names.push_back(std::string(kWildcard) + name); });
    std::ranges::sort(names);
    return names;
}

const RouteTable::Site* RouteTable::site(std::string_view host) const {
    if (const auto* found = exact_.find(host)) return found->get();
    const std::size_t dot = host.find('.');
    if (dot == std::string_view::npos || dot == 0) return nullptr;
    const auto* found = wildcard_.find(host.substr(dot + 1));
    return found ? found->get() : nullptr;
}

const Route* RouteTable::find(const Site& site, std::string_view path) { return site.find(path); }

const Route* RouteTable::find(std::string_view host, std::string_view path) const {
    const Site* found = site(host);
    return found ? found->find(path) : nullptr;
}

std::string_view RouteTable::agent_for_server_name(std::string_view server_name) const {
    const Site* found = site(server_name);
    return found && found->shortest() ? std::string_view(found->shortest()->agent_id) : std::string_view{};
}

}  // namespace sallyport
