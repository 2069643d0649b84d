#include "wire/control_message.h"

#include <boost/json.hpp>

#include <algorithm>
#include <optional>

#include "wire/utf8.h"

namespace sallyport {
namespace {

namespace json = boost::json;

constexpr std::uint32_t kMaxConcurrency = 1'000'000;
constexpr std::int64_t kMaxMilliseconds = 24 * 3600 * 1000;
constexpr std::string_view kForwardedForNames[] = {"unknown", "accepted",
                                                   "refused"};  // in the order of ForwardedForSupport

// --- writing

std::string bounded(std::string_view text) { return bounded_utf8(text, kMaxControlString); }

json::array to_json(const std::vector<TargetReport>& targets) {
    json::array out;
    for (std::size_t i = 0; i < std::min(targets.size(), kMaxControlEntries); ++i) {
        const TargetReport& target = targets[i];
        out.push_back({{"name", bounded(target.name)},
                       {"scheme", bounded(target.scheme)},
                       {"forwarded_for", kForwardedForNames[static_cast<std::size_t>(target.forwarded_for)]},
                       {"trusted_networks", target.trusted_networks},
                       {"home_assistant", target.home_assistant},
                       {"note", bounded(target.note)},
                       {"authority", bounded(target.authority)},
                       {"probed", target.probed}});
        if (!target.route.empty()) out.back().as_object()["route"] = bounded(target.route);
    }
    return out;
}

struct Writer {
    json::object operator()(const UnknownMessage& message) const { return {{"kind", bounded(message.kind)}}; }
    json::object operator()(const HelloMessage& message) const {
        return {{"kind", "hello"},
                {"version", bounded(message.version)},
                {"concurrency_limit", message.concurrency_limit},
                {"request_timeout_ms", message.request_timeout.count()},
                {"targets", to_json(message.targets)}};
    }
    json::object operator()(const TargetsMessage& message) const {
        return {{"kind", "targets"}, {"targets", to_json(message.targets)}};
    }
    json::object operator()(const RoutesMessage& message) const {
        json::array routes;
        for (std::size_t i = 0; i < std::min(message.routes.size(), kMaxControlEntries); ++i)
            routes.push_back({{"url", bounded(message.routes[i].url)}, {"target", bounded(message.routes[i].target)}});
        return {{"kind", "routes"}, {"routes", std::move(routes)}};
    }
    json::object operator()(const DrainMessage& message) const {
        return notice("drain", message.reason, message.deadline);
    }
    json::object operator()(const RotatedMessage& message) const {
        return notice("rotated", message.reason, message.deadline);
    }

    static json::object notice(std::string_view kind, std::string_view reason, std::chrono::milliseconds deadline) {
        return {{"kind", kind}, {"reason", bounded(reason)}, {"deadline_ms", deadline.count()}};
    }
};

// --- reading: a member that is absent keeps its default, one of the wrong type makes the reader fail.

class Reader {
public:
    explicit Reader(const json::object& object) : object_(object) {}

    void text(std::string_view key, std::string& out) {
        if (const json::value* value = find(key, json::kind::string)) out = bounded(value->get_string());
    }
    void flag(std::string_view key, bool& out) {
        if (const json::value* value = find(key, json::kind::bool_)) out = value->get_bool();
    }
    std::optional<std::int64_t> number(std::string_view key, std::int64_t most) {
        const json::value* value = find(key, json::kind::int64);
        if (!value) return std::nullopt;
        if (value->get_int64() < 0) failed_ = true;
        return std::clamp<std::int64_t>(value->get_int64(), 0, most);
    }
    void milliseconds(std::string_view key, std::chrono::milliseconds& out) {
        if (const auto count = number(key, kMaxMilliseconds)) out = std::chrono::milliseconds(*count);
    }
    // Calls take(Reader&) for each object in the list.
    template <class Take>
    void list(std::string_view key, Take&& take) {
        const json::value* value = find(key, json::kind::array);
        if (!value) return;
        const json::array& entries = value->get_array();
        too_large_ |= entries.size() > kMaxControlEntries;
        for (std::size_t i = 0; i < std::min(entries.size(), kMaxControlEntries); ++i) {
            if (!entries[i].is_object()) {
                failed_ = true;
                return;
            }
            Reader entry(entries[i].get_object());
            take(entry);
            failed_ |= entry.failed_;
        }
    }
    Result<> result() const {
        if (failed_) return fail(Errc::protocol, "control message: member of the wrong type");
        if (too_large_) return fail(Errc::too_large, "control message: too many entries");
        return {};
    }

private:
    const json::value* find(std::string_view key, json::kind kind) {
        const json::value* value = object_.if_contains(key);
        if (value && value->kind() != kind) {
            failed_ = true;
            return nullptr;
        }
        return value;
    }
    const json::object& object_;
    bool failed_ = false;
    bool too_large_ = false;
};

void read(Reader& in, std::vector<TargetReport>& out) {
    in.list("targets", [&out](Reader& entry) {
        TargetReport target;
        std::string forwarded_for;
        entry.text("name", target.name);
        entry.text("scheme", target.scheme);
        entry.text("forwarded_for", forwarded_for);
        entry.flag("trusted_networks", target.trusted_networks);
        entry.flag("home_assistant", target.home_assistant);
        entry.text("note", target.note);
        entry.text("authority", target.authority);
        entry.flag("probed", target.probed);
        entry.text("route", target.route);
        const auto* name = std::ranges::find(kForwardedForNames, forwarded_for);
        if (name != std::ranges::end(kForwardedForNames))
            target.forwarded_for = static_cast<ForwardedForSupport>(name - std::ranges::begin(kForwardedForNames));
        out.push_back(std::move(target));
    });
}

ControlMessage read_hello(Reader& in) {
    HelloMessage out;
    in.text("version", out.version);
    if (const auto limit = in.number("concurrency_limit", kMaxConcurrency))
        out.concurrency_limit = std::max<std::uint32_t>(1, static_cast<std::uint32_t>(*limit));
    in.milliseconds("request_timeout_ms", out.request_timeout);
    read(in, out.targets);
    return out;
}

ControlMessage read_routes(Reader& in) {
    RoutesMessage out;
    in.list("routes", [&out](Reader& entry) {
        RouteNotice route;
        entry.text("url", route.url);
        entry.text("target", route.target);
        out.routes.push_back(std::move(route));
    });
    return out;
}

template <class Notice>
ControlMessage read_notice(Reader& in) {
    Notice out;
    in.text("reason", out.reason);
    in.milliseconds("deadline_ms", out.deadline);
    return out;
}

ControlMessage read_kind(const std::string& kind, Reader& in) {
    if (kind == "hello") return read_hello(in);
    if (kind == "targets") {
        TargetsMessage out;
        read(in, out.targets);
        return out;
    }
    if (kind == "routes") return read_routes(in);
    if (kind == "drain") return read_notice<DrainMessage>(in);
    if (kind == "rotated") return read_notice<RotatedMessage>(in);
    return UnknownMessage{kind};
}

}  // namespace

std::string format_control_message(const ControlMessage& message) {
    return json::serialize(std::visit(Writer{}, message)) + "\n";
}

Result<ControlMessage> parse_control_message(std::string_view line) {
    if (line.size() > kMaxControlLine) return fail(Errc::too_large, "control message: line too long");
    boost::system::error_code error;
    const json::value value = json::parse(line, error);
    if (error) return fail(Errc::protocol, "control message: no JSON");
    if (!value.is_object()) return fail(Errc::protocol, "control message: no object");
    Reader in(value.get_object());
    std::string kind;
    in.text("kind", kind);
    if (kind.empty()) return fail(Errc::protocol, "control message: no kind");
    ControlMessage out = read_kind(kind, in);
    if (Result<> result = in.result(); !result) return std::unexpected(std::move(result.error()));
    return out;
}

}  // namespace sallyport
