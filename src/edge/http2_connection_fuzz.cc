// A visitor's HTTP/2 and its homes, which say and do anything, at any time. Whatever happens: a home only ever reads well-formed
// HTTP/1.1 requests, nothing is sent that can't be taken, and everything is given back in the end.
#include "edge/http2_connection.h"

#include "edge/edge_fuzz.h"

namespace {

using namespace sallyport;

constexpr std::string_view kPreface("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0", 33);

// type, flags, stream, and text: a frame whose length is right.
std::string frame_of(Script& script) {
    const int type = script.octet();
    const int flags = script.octet();
    const int stream = script.octet();
    const std::string_view payload = script.text();
    std::string frame;
    for (const int shift : {16, 8, 0}) frame += static_cast<char>(payload.size() >> shift);
    frame += static_cast<char>(type);
    frame += static_cast<char>(flags);
    frame.append(3, '\0');
    frame += static_cast<char>(stream);
    return frame.append(payload);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size < 2) return 0;
    Script script{{reinterpret_cast<const char*>(data) + 1, size - 1}};
    Route route = FakeEdge::usual_route();
    route.forward_client_ip = ForwardClientIp::always;
    FakeEdge edge;
    edge.set_routes({route});
    edge.connect_http2();
    if (data[0] % 8 != 7) edge.say(kPreface);
    const auto view = edge.origins.view;
    bool upgraded = false;
    auto with_origin = [&](auto&& act) {
        const int which = script.octet();
        if (edge.origins.opened.empty() || which < 0) return;
        act(*edge.origins.opened[static_cast<std::size_t>(which) % edge.origins.opened.size()]);
        edge.turn();
    };
    for (int what = script.octet(); what >= 0; what = script.octet()) {
        switch (what % 18) {
            case 0: edge.say(script.text()); break;
            case 1:
            case 2: edge.say(frame_of(script)); break;
            case 3: {  // several frames at once
                std::string frames;
                for (int left = std::max(script.octet(), 0) % 8; left >= 0; --left) frames += frame_of(script);
                edge.say(frames);
                break;
            }
            case 4:
            case 5: with_origin([&](FakeOrigin& o) { o.say(script.text()); }); break;
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
                o.pull();
            }); break;
            case 13: edge.origins.view = edge.origins.view ? nullptr : view; break;
            case 14: edge.end(); break;
            case 15: edge.leave(); break;
            case 16:
                if (edge.connection) edge.connection->drain_gently();
                edge.turn();
                break;
            case 17:
                if (edge.connection) edge.connection->drain();
                edge.turn();
                break;
        }
        edge.turn();
        upgraded = upgraded || edge.context.metrics.upgraded_streams.value() > 0;
    }
    for (const auto& origin : edge.origins.opened) check_requests(*origin, upgraded);
    edge.leave();
    if (edge.connection) edge.connection->cut();
    edge.turn();
    if (edge.connection || !edge.record->destroyed) std::abort();
    if (edge.origins.in_use != 0 || edge.origins.waits != 0) std::abort();
    if (edge.context.metrics.open_connections.value() != 0 || edge.context.metrics.upgraded_streams.value() != 0) std::abort();
    return 0;
}
