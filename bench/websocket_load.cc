// websocket_load: round trips of a WebSocket echo (RFC 6455) over TLS. Every connection sends one small text message, waits for
// its echo and sends the next at once, on one thread with epoll. Prints the line of latencies.h (a sample is one
// round trip after the warm-up) and exits 1 when a connection failed.
#include <fmt/format.h>
#include <sys/epoll.h>

#include <CLI/CLI.hpp>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <vector>

#include "base/clock.h"
#include "base/encoding.h"
#include "base/random.h"
#include "latencies.h"
#include "tls_client.h"

namespace {

using namespace sallyport;
using namespace sallyport::bench;

constexpr std::chrono::seconds kLimit{10};                // for one opening, and for the slowest echo
constexpr std::size_t kPayload = 64;                      // octets; about one Home Assistant state change is 100-400
constexpr std::size_t kClientHeader = 6;                  // 2 octets and the masking key
constexpr std::size_t kServerHeader = 2;                  // an echo comes back unmasked
constexpr std::uint8_t kFinText = 0x81;                   // FIN and opcode 1 (RFC 6455 5.2)

class EchoConnection {
public:
    static Result<EchoConnection> open(SSL_CTX& context, const Destination& to, std::string_view path) {
        Result<TlsClient> client = TlsClient::connect(context, to, kLimit);
        if (!client) return std::unexpected(client.error());
        const std::string opening = fmt::format(
            "GET {} HTTP/1.1\r\nHost: {}:{}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {}\r\n\r\n",
            path, to.server_name, to.port, to_base64(as_octets(random_octets(16))));
        if (Result<> sent = client->write_all(as_octets(opening)); !sent) return std::unexpected(sent.error());
        std::string rest;
        Result<std::string> section = client->read_header_section(rest);
        if (!section) return std::unexpected(section.error());
        if (!section->starts_with("HTTP/1.1 101") || !rest.empty()) return fail(Errc::refused, *section);
        if (Result<> set = client->set_non_blocking(); !set) return std::unexpected(set.error());
        return EchoConnection{std::move(*client)};
    }

    // 70 octets into an empty send buffer: a socket that can't take them is a failure, not back-pressure.
    Result<> send_message() {
        ++number_;
        std::memcpy(payload_.data(), &number_, sizeof number_);  // every echo differs from the one before
        std::array<std::byte, kClientHeader + kPayload> frame;
        frame[0] = std::byte{kFinText};
        frame[1] = std::byte{0x80 | kPayload};
        std::memcpy(&frame[2], &mask_, sizeof mask_);
        for (std::size_t i = 0; i < kPayload; ++i) frame[kClientHeader + i] = payload_[i] ^ frame[2 + i % 4];
        sent_at_ = Clock::now();
        return client_.write_all(frame);
    }

    // True once the whole echo is here and equal to what was sent.
    Result<bool> receive() {
        while (received_ < echo_.size()) {
            Result<std::size_t> count = client_.read_some(MutableOctets(echo_).subspan(received_));
            if (!count && count.error().code == Errc::would_block) return false;
            if (!count) return std::unexpected(count.error());
            received_ += *count;
        }
        received_ = 0;
        if (echo_[0] != std::byte{kFinText} || echo_[1] != std::byte{kPayload} ||
            std::memcmp(&echo_[kServerHeader], payload_.data(), kPayload) != 0) {
            return fail(Errc::protocol, "the echo differs from the message");
        }
        return true;
    }

    [[nodiscard]] TimePoint sent_at() const { return sent_at_; }
    [[nodiscard]] int socket() const { return client_.socket(); }

private:
    explicit EchoConnection(TlsClient client) : client_(std::move(client)) {
        fill_random(std::as_writable_bytes(std::span(&mask_, 1)));
        payload_.fill(std::byte{'x'});
    }
    TlsClient client_;
    std::uint32_t mask_ = 0;
    std::uint64_t number_ = 0;
    std::array<std::byte, kPayload> payload_;
    std::array<std::byte, kServerHeader + kPayload> echo_;
    std::size_t received_ = 0;
    TimePoint sent_at_;
};

struct Period {
    TimePoint counted_from;
    TimePoint end;
};

Result<> play(std::vector<EchoConnection>& connections, int epoll, Period period, Latencies& latencies) {
    std::array<epoll_event, 256> events;
    while (Clock::now() < period.end) {
        const int ready = epoll_wait(epoll, events.data(), events.size(), static_cast<int>(kLimit / std::chrono::milliseconds(1)));
        if (ready < 0 && errno != EINTR) return fail_errno(errno, "epoll_wait");
        if (ready == 0) return fail(Errc::timeout, "no echo came back");
        for (int i = 0; i < ready; ++i) {
            EchoConnection& connection = connections[events[static_cast<std::size_t>(i)].data.u64];
            Result<bool> complete = connection.receive();
            if (!complete) return std::unexpected(complete.error());
            if (!*complete) continue;
            const TimePoint now = Clock::now();
            if (connection.sent_at() >= period.counted_from) latencies.add(now - connection.sent_at());
            if (Result<> sent = connection.send_message(); !sent) return sent;
        }
    }
    return {};
}

Result<> open_all(std::vector<EchoConnection>& connections, std::size_t count, int epoll, SSL_CTX& context,
                  const Destination& to, std::string_view path) {
    connections.reserve(count);
    while (connections.size() < count) {
        Result<EchoConnection> connection = EchoConnection::open(context, to, path);
        if (!connection) return std::unexpected(connection.error());
        epoll_event event{.events = EPOLLIN, .data = {.u64 = connections.size()}};
        connections.push_back(std::move(*connection));
        if (epoll_ctl(epoll, EPOLL_CTL_ADD, connections.back().socket(), &event) != 0) return fail_errno(errno, "epoll_ctl");
    }
    return {};
}

}  // namespace

int main(int argc, char** argv) {
    std::signal(SIGPIPE, SIG_IGN);
    Destination to{0, "localhost"};
    std::string ca_file;
    std::string path = "/";
    std::size_t count = 1;
    unsigned milliseconds = 3000;
    unsigned warmup = 200;
    CLI::App app{"WebSocket echo round trips"};
    app.add_option("--port", to.port)->required();
    app.add_option("--host", to.server_name);
    app.add_option("--ca-file", ca_file)->required();
    app.add_option("--path", path);
    app.add_option("--connections", count)->check(CLI::Range(1, 10'000));
    app.add_option("--milliseconds", milliseconds)->check(CLI::Range(1, 600'000));
    app.add_option("--warmup-milliseconds", warmup)->check(CLI::Range(0, 60'000));
    CLI11_PARSE(app, argc, argv);

    const auto give_up = [](const Error& error) {
        fmt::print(stderr, "websocket_load: {}: {}\n", name_of(error.code), error.detail);
        return 1;
    };
    Result<SslContext> context = make_client_context(ca_file);
    if (!context) return give_up(context.error());
    const int epoll = epoll_create1(EPOLL_CLOEXEC);  // lives as long as the process
    if (epoll < 0) return give_up(system_error(errno, "epoll_create1"));

    std::vector<EchoConnection> connections;
    if (Result<> opened = open_all(connections, count, epoll, **context, to, path); !opened) return give_up(opened.error());
    const TimePoint counted_from = Clock::now() + std::chrono::milliseconds(warmup);
    const Period period{counted_from, counted_from + std::chrono::milliseconds(milliseconds)};
    for (EchoConnection& connection : connections) {
        if (Result<> sent = connection.send_message(); !sent) return give_up(sent.error());
    }
    Latencies latencies;
    if (Result<> played = play(connections, epoll, period, latencies); !played) return give_up(played.error());
    fmt::print("{}\n", latencies.summary(0, Clock::now() - period.counted_from));
    return 0;
}
