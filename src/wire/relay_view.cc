#include "wire/relay_view.h"

#include <boost/json.hpp>

#include <algorithm>

#include "wire/utf8.h"

namespace sallyport {
namespace json = boost::json;
namespace {

std::string bounded(std::string_view text) { return bounded_utf8(text, kMaxControlString); }

// A member that is absent keeps its default; one of the wrong type makes the whole wrong.
class Members {
public:
    explicit Members(const json::object& object) : object_(object) {}
    void text(std::string_view key, std::string& out) {
        if (const json::value* value = find(key, json::kind::string)) out = bounded(value->get_string());
    }
    void number(std::string_view key, std::int64_t& out) {
        if (const json::value* value = find(key, json::kind::int64)) out = std::max<std::int64_t>(value->get_int64(), 0);
    }
    void flag(std::string_view key, bool& out) {
        if (const json::value* value = find(key, json::kind::bool_)) out = value->get_bool();
    }
    const json::value* find(std::string_view key, json::kind kind) {
        const json::value* value = object_.if_contains(key);
        if (!value || value->is_null()) return nullptr;
        if (value->kind() == kind) return value;
        wrong_ = true;
        return nullptr;
    }
    bool wrong() const { return wrong_; }

private:
    const json::object& object_;
    bool wrong_ = false;
};

json::array to_json(const std::vector<RouteNotice>& routes, std::size_t most) {
    json::array out;
    for (std::size_t i = 0; i < std::min(routes.size(), most); ++i)
        out.push_back({{"url", bounded(routes[i].url)}, {"target", bounded(routes[i].target)}});
    return out;
}

json::value to_json(const std::optional<RelayView::Tunnel>& tunnel) {
    if (!tunnel) return nullptr;
    return {{"peer", bounded(tunnel->peer)},
            {"version", bounded(tunnel->version)},
            {"connected_s", tunnel->connected_s},
            {"round_trip_us", tunnel->round_trip_us},
            {"lost", tunnel->lost}};
}

bool read_tunnel(const json::object& object, RelayView::Tunnel& out) {
    Members members(object);
    members.text("peer", out.peer);
    members.text("version", out.version);
    members.number("connected_s", out.connected_s);
    members.number("round_trip_us", out.round_trip_us);
    members.flag("lost", out.lost);
    return !members.wrong();
}

bool read_routes(const json::array& array, std::vector<RouteNotice>& out) {
    for (const json::value& entry : array) {
        if (!entry.is_object()) return false;
        Members members(entry.get_object());
        RouteNotice route;
        members.text("url", route.url);
        members.text("target", route.target);
        if (members.wrong()) return false;
        out.push_back(std::move(route));
    }
    return true;
}

}  // namespace

std::string format_relay_view(const RelayView& view) {
    for (std::size_t routes = kMaxControlEntries;; routes /= 2) {
        std::string text = json::serialize(json::object{{"agent", bounded(view.agent)},
                                                        {"relay_version", bounded(view.relay_version)},
                                                        {"time_ms", view.time_ms},
                                                        {"peer", bounded(view.peer)},
                                                        {"tunnel", to_json(view.tunnel)},
                                                        {"refused_peer", bounded(view.refused_peer)},
                                                        {"routes", to_json(view.routes, routes)},
                                                        {"ticket", bounded(view.ticket)},
                                                        {"ticket_s", view.ticket_s}});
        if (text.size() <= RelayView::kMaxOctets || routes == 0) return text;
    }
}

Result<RelayView> parse_relay_view(std::string_view text) {
    const auto malformed = [] { return fail(Errc::protocol, "the relay's view of this agent can't be read"); };
    if (text.size() > RelayView::kMaxOctets) return fail(Errc::too_large, "the relay's view of this agent is too long");
    boost::system::error_code error;
    const json::value value = json::parse(text, error);
    if (error || !value.is_object()) return malformed();
    RelayView view;
    Members members(value.get_object());
    members.text("agent", view.agent);
    members.text("relay_version", view.relay_version);
    members.number("time_ms", view.time_ms);
    members.text("peer", view.peer);
    members.text("refused_peer", view.refused_peer);
    members.text("ticket", view.ticket);
    members.number("ticket_s", view.ticket_s);
    const json::value* tunnel = members.find("tunnel", json::kind::object);
    const json::value* routes = members.find("routes", json::kind::array);
    if (members.wrong()) return malformed();
    if (tunnel && !read_tunnel(tunnel->get_object(), view.tunnel.emplace())) return malformed();
    if (routes && routes->get_array().size() > kMaxControlEntries) return fail(Errc::too_large, "too many routes");
    if (routes && !read_routes(routes->get_array(), view.routes)) return malformed();
    return view;
}

}  // namespace sallyport
