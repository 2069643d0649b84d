#include "edge/route_table.h"

#include <functional>
#include <utility>

namespace sallyport {

// A tree of path segments. "/a" sits on the node of "a"; "/a/" too, but as `below`: it needs the slash behind it.
class RouteTable::Site {
public:
    void add(const Route& route);
    const Route* find(std::string_view path) const;
    const Route* shortest() const { return shortest_; }

private:
    struct Node {
        const Route* at = nullptr;
        const Route* below = nullptr;
        std::unordered_map<std::string, std::size_t, Hash, std::equal_to<>> children;
    };
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

RouteTable::RouteTable(std::vector<Route> routes) : routes_(std::move(routes)) {
    for (const Route& route : routes_) {
        const bool wildcard = route.hostname.starts_with("*.");
        auto& site = wildcard ? wildcard_[route.hostname.substr(2)] : exact_[route.hostname];
        if (!site) site = std::make_unique<Site>();
        site->add(route);
    }
}

RouteTable::~RouteTable() = default;

const RouteTable::Site* RouteTable::site(std::string_view host) const {
    if (const auto found = exact_.find(host); found != exact_.end()) return found->second.get();
    const std::size_t dot = host.find('.');
    if (dot == std::string_view::npos || dot == 0) return nullptr;
    const auto found = wildcard_.find(host.substr(dot + 1));
    return found == wildcard_.end() ? nullptr : found->second.get();
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
