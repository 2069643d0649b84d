#include "net/connector.h"

#include <netdb.h>

#include <algorithm>
#include <atomic>
#include <cerrno>

#include "net/socket.h"

namespace sallyport {
namespace {

constexpr auto kStagger = std::chrono::milliseconds(250);  // RFC 8305 8: Connection Attempt Delay
constexpr std::size_t kMostAddresses = 16;

}  // namespace

Result<std::vector<SocketAddress>> resolve_host(const std::string& host, std::uint16_t port) {
    addrinfo hints{};
    hints.ai_family = AF_UNSPEC;
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = AI_NUMERICSERV;
    addrinfo* found = nullptr;
    const int error = ::getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &found);
    if (error == EAI_SYSTEM) return fail_errno(errno, "resolve " + host);
    if (error != 0) return fail(Errc::not_found, "resolve " + host + ": " + ::gai_strerror(error));
    // RFC 8305 4: alternate the families, beginning with the one getaddrinfo put first (RFC 6724).
    std::vector<SocketAddress> first, second, addresses;
    for (const addrinfo* a = found; a; a = a->ai_next)
        (a->ai_family == found->ai_family ? first : second).push_back(SocketAddress::from(a->ai_addr, a->ai_addrlen));
    ::freeaddrinfo(found);
    for (std::size_t i = 0; i < std::max(first.size(), second.size()); ++i) {
        if (i < first.size()) addresses.push_back(first[i]);
        if (i < second.size()) addresses.push_back(second[i]);
    }
    if (addresses.size() > kMostAddresses) addresses.resize(kMostAddresses);
    return addresses;
}

// Shared with the worker: outlives a Connector that was destroyed while a name was still being looked up.
// `connector` is written and read on the loop only.
struct Connector::Resolution {
    Connector* connector;
    Loop* loop;
    std::atomic<bool> wanted = true;  // else a worker needn't begin with it
};

struct Connector::Attempt final : Watch::Owner {
    Attempt(Connector& c, Descriptor d) : connector(c), socket(std::move(d)), watch(c.loop_, socket.get(), *this) {
        watch.want_write(true);
    }
    void on_readable() override {}
    void on_writable() override { connector.on_attempt_ready(*this); }
    Connector& connector;
    Descriptor socket;
    Watch watch;
};

Connector::Connector(Loop& loop, Workers& workers, std::string host, std::uint16_t port, Limits limits, Done done)
    : loop_(loop),
      limits_(limits),
      done_(std::move(done)),
      resolution_(std::make_shared<Resolution>(this, &loop)),
      deadline_(loop, [this] {
          finish(fail(Errc::timeout, addresses_.empty() ? "resolving took too long" : "connecting took too long"));
      }),
      stagger_(loop, [this] { start_next_attempt(); }) {
    deadline_.start(limits_.resolve);
    if (auto literal = SocketAddress::parse(host, port)) {
        loop_.post([resolution = resolution_, address = *literal] {
            if (resolution->connector) resolution->connector->on_resolved(std::vector{address});
        });
        return;
    }
    const Result<> submitted = workers.submit_hanging([resolution = resolution_, host = std::move(host), port] {
        if (!resolution->wanted) return;
        auto addresses = resolve_host(host, port);
        Loop& target = *resolution->loop;
        target.post([resolution, addresses = std::move(addresses)]() mutable {
            if (resolution->connector) resolution->connector->on_resolved(std::move(addresses));
        });
    });
    if (!submitted) {
        loop_.post([resolution = resolution_, error = submitted.error()] {
            if (resolution->connector) resolution->connector->finish(std::unexpected(error));
        });
    }
}

Connector::~Connector() {
    resolution_->connector = nullptr;
    resolution_->wanted = false;
}

void Connector::on_resolved(Result<std::vector<SocketAddress>> addresses) {
    if (!addresses) return finish(std::unexpected(addresses.error()));
    addresses_ = std::move(*addresses);
    deadline_.start(limits_.connect);
    start_next_attempt();
}

void Connector::start_next_attempt() {
    while (next_address_ < addresses_.size()) {
        auto socket = start_connect(addresses_[next_address_++]);
        if (!socket) {
            last_error_ = socket.error();
            continue;
        }
        attempts_.push_back(std::make_unique<Attempt>(*this, std::move(*socket)));
        if (next_address_ < addresses_.size()) stagger_.start(kStagger);
        return;
    }
    if (attempts_.empty()) finish(std::unexpected(last_error_));
}

bool Connector::connected() const {
    return std::ranges::any_of(attempts_, [](const auto& attempt) { return has_peer(attempt->socket.get()); });
}

void Connector::on_attempt_ready(Attempt& attempt) {
    if (const Result<> connected = connect_result(attempt.socket.get()); !connected) {
        last_error_ = connected.error();
        const auto place = std::ranges::find(attempts_, &attempt, &std::unique_ptr<Attempt>::get);
        attempt.watch.want_write(false);
        loop_.dispose(std::move(*place));
        attempts_.erase(place);
        return start_next_attempt();
    }
    attempt.watch.want_write(false);
    finish(std::move(attempt.socket));
}

void Connector::finish(Result<Descriptor> result) {
    resolution_->wanted = false;
    deadline_.cancel();
    stagger_.cancel();
    // The winner's Watch still stands on the stack.
    for (auto& attempt : attempts_) loop_.dispose(std::move(attempt));
    attempts_.clear();
    if (auto done = std::exchange(done_, nullptr)) done(std::move(result));
}

}  // namespace sallyport
