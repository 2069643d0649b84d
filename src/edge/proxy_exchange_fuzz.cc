// A visitor and an origin that say and do anything, at any time, in pieces of any size. Whatever happens: an origin only
// ever reads well-formed requests, nothing is sent that can't be taken, and everything is given back in the end.
#include "edge/proxy_exchange.h"

#include <algorithm>
#include <optional>

#include "edge/edge_fuzz.h"
#include "edge/local_exchange.h"
#include "edge/route_policy_json.h"

namespace {

using namespace sallyport;

struct EchoHandler final : LocalHandler {
    void handle(LocalRequest request, Reply reply) override {
        if (request.method != "DROP") reply({.content_type = "text/plain", .content = request.content, .fields = {}});
    }
};

constexpr ByteCount kMostContent = 8;
std::shared_ptr<const RoutePolicy> make_policy() {
    const auto policy = boost::json::parse(R"({"preset": "home-assistant", "deny_paths": ["/closed"], "max_body": 8, "set_request_fields": ["X-Set: 1"],
        "remove_request_fields": ["X-Removed"], "set_response_fields": ["X-Answer: 1"], "remove_response_fields": ["Server"]})");
    return *read_route_policy(policy.as_object());
}

// What a route with that policy promises its origin besides.
void check_policy(const RequestHead& head, ByteCount content, const FieldSection& trailers) {
    if (head.path().starts_with("/closed") || content > kMostContent) std::abort();
    if (head.fields.count("X-Set") != 1 || *head.fields.find("X-Set") != "1" || head.fields.contains("X-Removed")) std::abort();
    if (trailers.contains("X-Set") || trailers.contains("X-Removed")) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size < 2) return 0;
    Script script{{reinterpret_cast<const char*>(data) + 1, size - 1}};
    Route route = FakeEdge::usual_route();
    route.forward_client_ip = ForwardClientIp::always;
    const bool has_policy = (data[0] & 0x40) != 0;
    static const std::shared_ptr<const RoutePolicy> policy = make_policy();
    if (has_policy) route.policy = policy;
    EchoHandler handler;
    std::optional<BanShield> shield;
    FakeEdge edge;
    if (has_policy) edge.context.shield = &shield.emplace(BanBounds{.after = 1'000});
    edge.set_routes({route});
    if (data[0] % 8 == 7)
        edge.connect([&](EdgeContext& c, VisitorRequest& v) { return std::make_unique<LocalExchange>(c, v, handler); });
    else edge.connect();
    const auto view = edge.origins.view;
    bool upgraded = false;
    auto with_origin = [&](auto&& act) {
        if (edge.origins.opened.empty()) return;
        act(edge.origin());
        edge.turn();
    };
    for (int what = script.octet(); what >= 0; what = script.octet()) {
        switch (what % 16) {
            case 0:
            case 1: edge.say(script.text()); break;
            case 2:
            case 3: with_origin([&](FakeOrigin& o) { o.say(script.text()); }); break;
            case 4: edge.end(); break;
            case 5: edge.leave(); break;
            case 6: with_origin([](FakeOrigin& o) { o.end(); }); break;
            case 7: with_origin([](FakeOrigin& o) { o.cut(); }); break;
            case 8: with_origin([](FakeOrigin& o) { o.refuse({502, "dns_error", "x"}); }); break;
            case 9: edge.record->ready = false; break;
            case 10: edge.become_ready(static_cast<std::size_t>(std::max(script.octet(), 0) % 4)); break;
            case 11: with_origin([&](FakeOrigin& o) {
                o.room = script.text().size();
                o.pull();
            }); break;
            case 12: with_origin([&](FakeOrigin& o) {
                o.room = ~std::size_t{0};
                o.piece = static_cast<std::size_t>(std::max(script.octet(), 0)) + 1;
                o.pull();
            }); break;
            case 13: edge.origins.view = edge.origins.view ? nullptr : view; break;
            case 14:
                edge.origins.most = edge.origins.most ? 0 : 100;
                if (edge.origins.waits && edge.origins.on_permit) std::exchange(edge.origins.on_permit, {})(fail(Errc::timeout));
                break;
            case 15:
                if (edge.origins.waits && edge.origins.on_online) std::exchange(edge.origins.on_online, {})(edge.origins.view != nullptr);
                break;
        }
        edge.turn();
        upgraded = upgraded || edge.context.metrics.upgraded_streams.value() > 0;
        if (edge.record->paused && edge.record->closed && !edge.record->destroyed) edge.turn();
    }
    for (const auto& origin : edge.origins.opened) check_requests(*origin, upgraded, has_policy ? check_policy : nullptr);
    edge.leave();
    edge.turn();
    if (edge.connection || !edge.record->destroyed) std::abort();
    if (edge.origins.in_use != 0 || edge.origins.waits != 0) std::abort();
    // No login is under way any more: what is left to be counted has failed.
    if (shield && shield->entries() > 0 && shield->failures(BanKind::login) + shield->failures(BanKind::websocket) + shield->failures(BanKind::unknown_host) == 0)
        std::abort();
    // Connections that were kept take their leave in order.
    const auto owned = std::ranges::count_if(edge.origins.opened, [](const auto& origin) { return origin->owner != nullptr; });
    if (static_cast<std::size_t>(owned) > edge.context.farewells.size()) std::abort();
    if (edge.context.metrics.open_connections.value() != 0 || edge.context.metrics.upgraded_streams.value() != 0) std::abort();
    return 0;
}
