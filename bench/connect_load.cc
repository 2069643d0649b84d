// connect_load: how many new TLS connections a second a server takes. Each worker thread makes one connection after the
// other: full handshake, one GET, the whole answer, closed. Prints the line of latencies.h (a sample is one connection from
// connect() to the answer's last octet) and exits 1 when nothing worked.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <charconv>
#include <csignal>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "latencies.h"
#include "tls_client.h"

namespace {

using namespace sallyport;
using namespace sallyport::bench;

constexpr std::chrono::seconds kLimit{10};        // for one connection; a healthy one takes milliseconds
constexpr std::uint64_t kMaxFailures = 50;        // per worker: then the server is down and hammering on tells nothing

struct Tally {
    Latencies latencies;
    std::uint64_t failed = 0;
    std::string last_error;
};

Result<std::size_t> content_length(std::string section) {
    std::ranges::transform(section, section.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    constexpr std::string_view kField = "\r\ncontent-length: ";
    const std::size_t at = section.find(kField);
    std::size_t length = 0;
    if (!section.starts_with("http/1.1 200") || at == std::string::npos) return fail(Errc::protocol, section);
    const char* digits = section.data() + at + kField.size();
    if (std::from_chars(digits, section.data() + section.size(), length).ec != std::errc{}) return fail(Errc::protocol);
    return length;
}

Result<> fetch_once(SSL_CTX& context, const Destination& to, Octets request) {
    Result<TlsClient> client = TlsClient::connect(context, to, kLimit);
    if (!client) return std::unexpected(client.error());
    if (Result<> sent = client->write_all(request); !sent) return sent;
    std::string content;
    Result<std::string> section = client->read_header_section(content);
    if (!section) return std::unexpected(section.error());
    Result<std::size_t> length = content_length(*section);
    if (!length) return std::unexpected(length.error());
    std::byte chunk[4096];
    for (std::size_t seen = content.size(); seen < *length;) {
        Result<std::size_t> count = client->read_some(chunk);
        if (!count) return std::unexpected(count.error());
        seen += *count;
    }
    return {};
}

void work(SSL_CTX& context, const Destination& to, Octets request, TimePoint deadline, Tally& tally) {
    while (tally.failed < kMaxFailures) {
        const TimePoint start = Clock::now();
        if (start >= deadline) return;
        if (Result<> done = fetch_once(context, to, request); done) {
            tally.latencies.add(Clock::now() - start);
        } else {
            ++tally.failed;
            tally.last_error = done.error().detail;
        }
    }
}

}  // namespace

int main(int argc, char** argv) {
    std::signal(SIGPIPE, SIG_IGN);
    Destination to{0, "localhost"};
    std::string ca_file;
    std::string path = "/";
    std::size_t concurrency = 16;
    unsigned milliseconds = 3000;
    CLI::App app{"new TLS connections per second"};
    app.add_option("--port", to.port)->required();
    app.add_option("--host", to.server_name);
    app.add_option("--ca-file", ca_file)->required();
    app.add_option("--path", path);
    app.add_option("--concurrency", concurrency)->check(CLI::Range(1, 1000));
    app.add_option("--milliseconds", milliseconds)->check(CLI::Range(1, 600'000));
    CLI11_PARSE(app, argc, argv);

    Result<SslContext> context = make_client_context(ca_file);
    if (!context) return fmt::print(stderr, "connect_load: {}\n", context.error().detail), 2;
    const std::string request =
        fmt::format("GET {} HTTP/1.1\r\nHost: {}:{}\r\nConnection: close\r\n\r\n", path, to.server_name, to.port);

    std::vector<Tally> tallies(concurrency);
    const TimePoint start = Clock::now();
    {
        std::vector<std::jthread> workers;
        for (Tally& tally : tallies) {
            workers.emplace_back([&] {
                work(**context, to, as_octets(request), start + std::chrono::milliseconds(milliseconds), tally);
            });
        }
    }
    const Duration elapsed = Clock::now() - start;

    Tally sum;
    for (const Tally& tally : tallies) {
        sum.latencies.add(tally.latencies);
        sum.failed += tally.failed;
        if (!tally.last_error.empty()) sum.last_error = tally.last_error;
    }
    if (!sum.last_error.empty()) fmt::print(stderr, "connect_load: last error: {}\n", sum.last_error);
    const bool worked = sum.latencies.count() > 0;
    fmt::print("{}\n", sum.latencies.summary(sum.failed, elapsed));
    return worked ? 0 : 1;
}
