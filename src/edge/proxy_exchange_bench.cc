// What the engine itself costs, without TLS, tunnel and kernel: a short request on a kept-alive connection, and content
// streaming through it both ways.
#include "edge/proxy_exchange.h"

#include <benchmark/benchmark.h>

#include "edge/edge_fakes.h"

namespace sallyport {
namespace {

EdgeSettings quiet() {
    EdgeSettings settings;
    settings.access_log = false;
    return settings;
}

constexpr std::string_view kShortRequest = "GET /1k HTTP/1.1\r\nHost: home.example\r\n\r\n";
constexpr std::string_view kBrowserRequest =
    "GET /frontend_latest/core.8f2c.js HTTP/1.1\r\nHost: home.example\r\nConnection: keep-alive\r\n"
    "sec-ch-ua: \"Chromium\";v=\"126\", \"Not.A/Brand\";v=\"24\"\r\nsec-ch-ua-mobile: ?0\r\nsec-ch-ua-platform: \"Linux\"\r\n"
    "Upgrade-Insecure-Requests: 1\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36\r\n"
    "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8\r\nSec-Fetch-Site: none\r\n"
    "Sec-Fetch-Mode: navigate\r\nSec-Fetch-User: ?1\r\nSec-Fetch-Dest: document\r\nAccept-Encoding: gzip, deflate, br, zstd\r\n"
    "Accept-Language: en-GB,en;q=0.9\r\nCookie: session=0123456789abcdef0123456789abcdef\r\n\r\n";

void serve(benchmark::State& state, std::string_view request) {
    FakeEdge edge(quiet());
    edge.set_routes({FakeEdge::usual_route()});
    edge.connect();
    const std::string answer =
        "HTTP/1.1 200 OK\r\nServer: nginx/1.22.1\r\nDate: Fri, 20 Nov 2026 06:00:00 GMT\r\nContent-Type: application/octet-stream\r\n"
        "Content-Length: 1024\r\nLast-Modified: Fri, 20 Nov 2026 05:00:00 GMT\r\nConnection: keep-alive\r\nETag: \"655b0a3e-400\"\r\n"
        "Accept-Ranges: bytes\r\n\r\n" + std::string(1024, 'x');
    std::string in(request);
    for (auto _ : state) {
        edge.record->owner->on_receive(std::as_writable_bytes(std::span(in)));
        FakeOrigin& origin = edge.origin();
        origin.received.clear();
        origin.owner->on_stream_octets(as_octets(answer));
        edge.record->sent.clear();
    }
    state.SetItemsProcessed(state.iterations());
}
BENCHMARK_CAPTURE(serve, short, kShortRequest);
BENCHMARK_CAPTURE(serve, browser, kBrowserRequest);

void download(benchmark::State& state) {
    FakeEdge edge(quiet());
    edge.set_routes({FakeEdge::usual_route()});
    edge.connect();
    edge.say(kShortRequest);
    FakeOrigin& origin = edge.origin();
    origin.say(state.range(0) ? "HTTP/1.1 200 OK\r\n\r\n" : "HTTP/1.1 200 OK\r\nContent-Length: 1000000000000000\r\n\r\n");
    const std::string piece(256 * 1024, 'x');
    for (auto _ : state) {
        origin.owner->on_stream_octets(as_octets(piece));
        edge.record->sent.clear();
    }
    state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(piece.size()));
}
BENCHMARK(download)->ArgName("rechunked")->Arg(0)->Arg(1);

void upload(benchmark::State& state) {
    FakeEdge edge(quiet());
    edge.set_routes({FakeEdge::usual_route()});
    edge.connect();
    edge.say("PUT / HTTP/1.1\r\nHost: home.example\r\nContent-Length: 1000000000000000\r\n\r\n");
    FakeOrigin& origin = edge.origin();
    std::string piece(256 * 1024, 'x');
    for (auto _ : state) {
        edge.record->owner->on_receive(std::as_writable_bytes(std::span(piece)));
        origin.received.clear();
    }
    state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(piece.size()));
}
BENCHMARK(upload);

}  // namespace
}  // namespace sallyport
