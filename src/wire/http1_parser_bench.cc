#include "wire/http1_parser.h"

#include <benchmark/benchmark.h>

#include "wire/http1_writer.h"

namespace sallyport {
namespace {

constexpr std::string_view kShort = "GET /1k HTTP/1.1\r\nHost: home.example.org\r\n\r\n";
constexpr std::string_view kBrowser =
    "GET /api/states?limit=100 HTTP/1.1\r\nHost: home.example.org:8443\r\nConnection: keep-alive\r\n"
    "sec-ch-ua: \"Chromium\";v=\"120\", \"Not?A_Brand\";v=\"24\"\r\nsec-ch-ua-mobile: ?0\r\nsec-ch-ua-platform: "
    "\"Linux\"\r\n"
    "Upgrade-Insecure-Requests: 1\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like "
    "Gecko) "
    "Chrome/120.0.0.0 Safari/537.36\r\nAccept: "
    "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8\r\n"
    "Sec-Fetch-Site: none\r\nSec-Fetch-Mode: navigate\r\nSec-Fetch-User: ?1\r\nSec-Fetch-Dest: document\r\n"
    "Accept-Encoding: gzip, deflate, br\r\nAccept-Language: de-DE,de;q=0.9,en;q=0.8\r\nCookie: "
    "session=0123456789abcdef\r\n\r\n";
constexpr std::string_view kResponse =
    "HTTP/1.1 200 OK\r\nServer: nginx/1.22.1\r\nDate: Thu, 19 Nov 2026 10:00:00 GMT\r\nContent-Type: "
    "application/octet-stream\r\n"
    "Content-Length: 1024\r\nLast-Modified: Thu, 19 Nov 2026 09:00:00 GMT\r\nConnection: keep-alive\r\nETag: "
    "\"655b-400\"\r\n"
    "Accept-Ranges: bytes\r\n\r\n";

void read_request(benchmark::State& state, std::string_view text) {
    HeadReader reader;
    RequestHead head;
    for (auto _ : state) benchmark::DoNotOptimize(reader.read_request(text, head));
    state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations() * text.size()));
}
BENCHMARK_CAPTURE(read_request, short, kShort);
BENCHMARK_CAPTURE(read_request, browser, kBrowser);

void read_response(benchmark::State& state) {
    HeadReader reader;
    ResponseHead head;
    for (auto _ : state) benchmark::DoNotOptimize(reader.read_response(kResponse, "GET", head));
    state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations() * kResponse.size()));
}
BENCHMARK(read_response);

// What the edge does to a request: read, drop what concerns the connection, add its own, write.
void forward_request(benchmark::State& state) {
    HeadReader reader;
    RequestHead head;
    std::string out;
    for (auto _ : state) {
        benchmark::DoNotOptimize(reader.read_request(kBrowser, head));
        remove_connection_fields(head.fields);
        head.fields.set("X-Forwarded-For", "203.0.113.7");
        head.fields.set("X-Forwarded-Proto", "https");
        out.clear();
        write_request_head(out, head, ConnectionOption::none);
        benchmark::DoNotOptimize(out.data());
    }
}
BENCHMARK(forward_request);

void read_request_octet_by_octet(benchmark::State& state) {
    HeadReader reader;
    RequestHead head;
    for (auto _ : state)
        for (std::size_t size = 1; size <= kBrowser.size(); ++size)
            benchmark::DoNotOptimize(reader.read_request(kBrowser.substr(0, size), head));
}
BENCHMARK(read_request_octet_by_octet);

}  // namespace
}  // namespace sallyport
