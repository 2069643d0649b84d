// A table of members, each with the function that reads it.
#include "edge/route_policy_json.h"

#include <algorithm>
#include <array>

#include "base/password_hash.h"
#include "wire/byte_size.h"
#include "wire/duration.h"
#include "wire/utf8.h"

namespace sallyport {
namespace {

namespace json = boost::json;
using namespace std::chrono_literals;
using Direction = FieldEdits::Direction;

constexpr std::size_t kLongestPolicy = 64 * 1024;  // octets of the stored text
constexpr std::size_t kMostNetworks = 1000;        // of a list; each costs some nanoseconds a request
constexpr std::size_t kMostPatterns = 200;
constexpr std::size_t kMostUsers = 50;
constexpr std::size_t kLongestUser = 64;
constexpr std::size_t kLongestMaintenanceText = 1000;
constexpr auto kMostIdleTimeout = std::chrono::hours(24 * 7);
constexpr auto kMostRetryAfter = std::chrono::hours(24 * 7);
constexpr ByteCount kMostBody = ByteCount{1} << 50;  // arbitrary, a PiB: above it "off" is meant

// What each preset stands for. Home Assistant's own long answers (backups, history) take minutes.
constexpr auto kHomeAssistantTimeout = 300s;
// Supervisor and its add-ons; rendering templates; the developer tools' endpoints and log; events without end.
constexpr std::array<std::string_view, 12> kRestrictedPaths{
    "/api/hassio*", "/api/template", "/api/stream", "/api/events", "/api/states", "/api/services",
    "/api/components", "/api/error_log", "/api/error", "/api/config/core", "/api/diagnostics", "/api/intent"};

struct Building {
    RoutePolicy policy;
    bool maintenance = false;
    RoutePolicy::Maintenance page;
    BasicAuth auth;
};
using Read = std::expected<void, std::string>;  // the error: what is wrong with the value

std::unexpected<std::string> wrong(std::string why) { return std::unexpected(std::move(why)); }
Result<std::string> text_of(const json::value& value) {
    if (const auto* text = value.if_string()) return std::string(text->begin(), text->end());
    return fail(Errc::invalid_argument, "has to be a string");
}

Result<std::chrono::milliseconds> duration_of(const json::value& value, std::chrono::milliseconds least, std::chrono::milliseconds most) {
    const auto text = text_of(value);
    if (!text) return std::unexpected(text.error());
    const auto parsed = parse_duration(*text);
    if (!parsed) return fail(Errc::invalid_argument, "is no duration: " + parsed.error().detail);
    const auto duration = std::chrono::duration_cast<std::chrono::milliseconds>(*parsed);
    if (duration < least || duration > most)
        return fail(Errc::invalid_argument, "has to be from " + format_duration(least) + " to " + format_duration(most));
    return duration;
}

// Calls take(text) -> Result<> for each string of a list.
template <class Take>
Read read_list(const json::value& value, std::size_t most, Take take) {
    const json::array* list = value.if_array();
    if (!list) return wrong("has to be a list of strings");
    if (list->size() > most) return wrong("has more than " + std::to_string(most) + " entries");
    for (const json::value& item : *list) {
        const auto text = text_of(item);
        if (!text) return wrong("has to be a list of strings");
        if (auto taken = take(*text); !taken) return wrong(taken.error().detail);
    }
    return {};
}

Read read_networks(const json::value& value, std::vector<IpNetwork>& out) {
    return read_list(value, kMostNetworks, [&](const std::string& text) -> Result<> {
        const auto network = IpNetwork::parse(text);
        if (!network) return std::unexpected(network.error());
        out.push_back(*network);
        return {};
    });
}

Read read_patterns(const json::value& value, std::vector<PathPattern>& out) {
    return read_list(value, kMostPatterns, [&](const std::string& text) -> Result<> {
        auto pattern = PathPattern::parse(text);
        if (!pattern) return std::unexpected(pattern.error());
        out.push_back(std::move(*pattern));
        return {};
    });
}

template <Direction direction>
Read read_set(const json::value& value, FieldEdits& edits) {
    return read_list(value, 100, [&](const std::string& line) { return edits.add_set(direction, line); });
}
template <Direction direction>
Read read_removal(const json::value& value, FieldEdits& edits) {
    return read_list(value, 100, [&](const std::string& name) { return edits.add_removal(direction, name); });
}

Read read_preset(const json::value& value, Building& to) {
    const auto name = text_of(value);
    if (name && *name == "home-assistant") to.policy.preset = RoutePolicy::Preset::home_assistant;
    else if (name && *name == "home-assistant-restricted") to.policy.preset = RoutePolicy::Preset::home_assistant_restricted;
    else return wrong("has to be home-assistant or home-assistant-restricted");
    to.policy.request_timeout = kHomeAssistantTimeout;
    return {};
}

Read read_max_body(const json::value& value, Building& to) {
    Result<ByteCount> octets = fail(Errc::invalid_argument, "has to be a whole number of octets, or a string like 100MiB");
    if (const auto* number = value.if_int64(); number && *number >= 0) octets = static_cast<ByteCount>(*number);
    else if (value.is_string()) octets = parse_byte_size(*text_of(value));
    if (!octets) return wrong(octets.error().detail);
    if (*octets > kMostBody) return wrong("is too large; leave it out for no bound");
    to.policy.max_body = *octets;
    return {};
}

Read read_idle_timeout(const json::value& value, Building& to) {
    const auto duration = duration_of(value, kLeastIdleTimeout, kMostIdleTimeout);
    if (!duration) return wrong(duration.error().detail);
    to.policy.idle_timeout = *duration;
    return {};
}

Read read_users(const json::value& value, Building& to) {
    const json::object* users = value.if_object();
    if (!users || users->empty() || users->size() > kMostUsers) return wrong("has to be an object of 1 to 50 users, each with a hash");
    for (const auto& [key, hash] : *users) {
        const std::string name(key);
        // RFC 7617 2: a colon would end the name.
        const bool plain = std::ranges::none_of(name, [](char c) { return c == ':' || static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
        if (name.empty() || name.size() > kLongestUser || !plain || bounded_utf8(name, kLongestUser) != name)
            return wrong("has a user whose name isn't 1 to 64 octets of UTF-8 without ':' and controls");
        const auto text = text_of(hash);
        auto checked = text ? check_password_hash(*text) : Result<std::string>(std::unexpected(text.error()));
        if (!checked) return wrong("of " + name + ": " + checked.error().detail);
        to.auth.users.push_back({name, std::move(*checked)});
    }
    return {};
}

Read read_bearer(const json::value& value, Building& to) {
    const auto word = text_of(value);
    if (word && *word == "pass") to.auth.bearer = BasicAuth::Bearer::pass;
    else if (!word || *word != "refuse") return wrong("has to be refuse or pass");
    return {};
}

Read read_maintenance(const json::value& value, Building& to) {
    const bool* on = value.if_bool();
    if (!on) return wrong("has to be true or false");
    to.maintenance = *on;
    return {};
}

Read read_maintenance_text(const json::value& value, Building& to) {
    const auto text = text_of(value);
    if (!text) return wrong(text.error().detail);
    const bool plain = std::ranges::none_of(*text, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
    if (text->size() > kLongestMaintenanceText || !plain || bounded_utf8(*text, kLongestMaintenanceText) != *text)
        return wrong("has to be one line of at most 1000 octets of UTF-8");
    to.page.text = *text;
    return {};
}

Read read_retry_after(const json::value& value, Building& to) {
    const auto duration = duration_of(value, 1s, kMostRetryAfter);
    if (!duration) return wrong(duration.error().detail);
    to.page.retry_after = std::chrono::duration_cast<std::chrono::seconds>(*duration);
    return {};
}

struct Member {
    std::string_view name;
    Read (*read)(const json::value&, Building&);
};
constexpr std::array kMembers{
    Member{"preset", read_preset},
    Member{"allow_ips", [](const json::value& v, Building& to) { return read_networks(v, to.policy.addresses.allow); }},
    Member{"deny_ips", [](const json::value& v, Building& to) { return read_networks(v, to.policy.addresses.deny); }},
    Member{"allow_paths", [](const json::value& v, Building& to) { return read_patterns(v, to.policy.paths.allow); }},
    Member{"deny_paths", [](const json::value& v, Building& to) { return read_patterns(v, to.policy.paths.deny); }},
    Member{"basic_auth", read_users},
    Member{"basic_auth_bearer", read_bearer},
    Member{"basic_auth_open_paths", [](const json::value& v, Building& to) { return read_patterns(v, to.auth.open_paths); }},
    Member{"max_body", read_max_body},
    Member{"idle_timeout", read_idle_timeout},
    Member{"set_request_fields", [](const json::value& v, Building& to) { return read_set<Direction::request>(v, to.policy.request_fields); }},
    Member{"remove_request_fields", [](const json::value& v, Building& to) { return read_removal<Direction::request>(v, to.policy.request_fields); }},
    Member{"set_response_fields", [](const json::value& v, Building& to) { return read_set<Direction::response>(v, to.policy.response_fields); }},
    Member{"remove_response_fields", [](const json::value& v, Building& to) { return read_removal<Direction::response>(v, to.policy.response_fields); }},
    Member{"maintenance", read_maintenance},
    Member{"maintenance_text", read_maintenance_text},
    Member{"maintenance_retry_after", read_retry_after},
};

bool does_nothing(const RoutePolicy& policy) {
    return policy.preset == RoutePolicy::Preset::none && policy.addresses.empty() && !policy.maintenance && policy.paths.empty() && !policy.basic_auth &&
           !policy.max_body && !policy.idle_timeout && policy.request_fields.empty() && policy.response_fields.empty();
}

std::shared_ptr<const RoutePolicy> finish(Building built) {
    RoutePolicy& policy = built.policy;
    if (built.maintenance) policy.maintenance = std::move(built.page);
    if (!built.auth.users.empty()) policy.basic_auth = std::move(built.auth);
    if (policy.preset == RoutePolicy::Preset::home_assistant_restricted)
        for (const std::string_view path : kRestrictedPaths) policy.paths.deny.push_back(*PathPattern::parse(path));
    return does_nothing(policy) ? nullptr : std::make_shared<const RoutePolicy>(std::move(policy));
}

// An object that the store holds, or nothing if it is none.
std::optional<json::object> parse_stored(std::string_view stored) {
    if (stored.empty()) return json::object{};
    boost::system::error_code failed;
    json::value value = json::parse(stored, failed);
    if (failed || !value.is_object()) return std::nullopt;
    return std::move(value.get_object());
}

}  // namespace

std::expected<std::shared_ptr<const RoutePolicy>, PolicyFault> read_route_policy(const json::object& object) {
    Building built;
    for (const auto& [key, value] : object) {
        const std::string_view name = key;
        const auto member = std::ranges::find(kMembers, name, &Member::name);
        if (member == kMembers.end()) return std::unexpected(PolicyFault{bounded_utf8(name, 64), "is not known"});
        if (auto read = member->read(value, built); !read) return std::unexpected(PolicyFault{std::string(name), std::move(read.error())});
    }
    return finish(std::move(built));
}

std::shared_ptr<const RoutePolicy> load_route_policy(std::string_view stored) {
    if (stored == "{}") return nullptr;
    if (const auto object = parse_stored(stored))
        if (auto policy = read_route_policy(*object)) return std::move(*policy);
    RoutePolicy nothing_served;
    nothing_served.unreadable = true;
    return std::make_shared<const RoutePolicy>(std::move(nothing_served));
}

std::expected<std::string, PolicyFault> change_route_policy(std::string_view stored, const json::object& change) {
    auto parsed = parse_stored(stored);
    // Begun anew without a word, one change would open what the rest of it had closed.
    if (!parsed || !read_route_policy(*parsed))
        return std::unexpected(PolicyFault{"", "that is stored can't be read by this release: take it away whole first (--no-policy)"});
    json::object object = std::move(*parsed);
    for (const auto& [key, value] : change) {
        if (std::ranges::find(kMembers, std::string_view(key), &Member::name) == kMembers.end())
            return std::unexpected(PolicyFault{bounded_utf8(key, 64), "is not known"});
        if (value.is_null()) object.erase(key);
        else object[key] = value;
    }
    if (auto read = read_route_policy(object); !read) return std::unexpected(std::move(read.error()));
    std::string text = json::serialize(object);
    if (text.size() > kLongestPolicy) return std::unexpected(PolicyFault{"", "is too long: at most 64 KiB in all"});
    return text;
}

json::object show_route_policy(std::string_view stored) {
    json::object object = parse_stored(stored).value_or(json::object{});
    if (json::value* users = object.if_contains("basic_auth")) {
        json::array names;
        if (const json::object* all = users->if_object())
            for (const auto& user : *all) names.emplace_back(user.key());
        *users = std::move(names);
    }
    return object;
}

}  // namespace sallyport
