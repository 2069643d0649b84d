#include "gateway/metrics_server.h"

#include <sys/socket.h>

#include <cerrno>

namespace sallyport::gateway {
namespace {

constexpr std::size_t kLongestHead = 8 * 1024;
constexpr std::chrono::seconds kPatience{10};  // for a whole exchange

std::string response(std::string_view status, std::string_view type, std::string_view content, bool head_only) {
    std::string out = "HTTP/1.1 " + std::string(status) + "\r\nContent-Type: " + std::string(type) + "\r\nContent-Length: " + std::to_string(content.size()) +
                      "\r\nConnection: close\r\n\r\n";
    return head_only ? out : out + std::string(content);
}

}  // namespace

class MetricsServer::Exchange final : private Watch::Owner {
public:
    Exchange(MetricsServer& server, Descriptor descriptor)
        : server_(server), descriptor_(std::move(descriptor)), watch_(server.loop_, descriptor_.get(), *this), deadline_(server.loop_, [this] { server_.over(*this); }) {
        deadline_.start(kPatience);
        watch_.want_read(true);
    }

private:
    void on_readable() override {
        char octets[2048];
        const ssize_t got = ::recv(descriptor_.get(), octets, sizeof octets, 0);
        if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
        if (got <= 0) return server_.over(*this);
        if (!answer_.empty()) return;  // what is behind the head
        head_.append(octets, static_cast<std::size_t>(got));
        if (head_.contains("\r\n\r\n")) respond();
        else if (head_.size() > kLongestHead) server_.over(*this);
    }

    void on_writable() override {
        const ssize_t sent = ::send(descriptor_.get(), answer_.data() + sent_, answer_.size() - sent_, MSG_NOSIGNAL);
        if (sent < 0 && (errno == EAGAIN || errno == EINTR)) return;
        if (sent < 0) return server_.over(*this);
        sent_ += static_cast<std::size_t>(sent);
        if (sent_ < answer_.size()) return;
        watch_.want_write(false);
        ::shutdown(descriptor_.get(), SHUT_WR);  // the other side closes; the deadline does if it doesn't
    }

    void respond() {
        const std::string_view line = std::string_view(head_).substr(0, head_.find("\r\n"));
        const bool head_only = line.starts_with("HEAD ");
        const std::size_t space = line.find(' ');
        const std::string_view target = space == std::string_view::npos ? "" : line.substr(space + 1, line.find(' ', space + 1) - space - 1);
        const std::string_view path = target.substr(0, target.find('?'));
        if (!head_only && !line.starts_with("GET ")) answer_ = response("405 Method Not Allowed", "text/plain", "only GET\n", false);
        else if (path == "/metrics") answer_ = response("200 OK", "text/plain; version=0.0.4; charset=utf-8", server_.text_(), head_only);
        else if (path == "/healthz") answer_ = response("200 OK", "text/plain", "ok\n", head_only);
        else answer_ = response("404 Not Found", "text/plain", "there are /metrics and /healthz\n", head_only);
        watch_.want_write(true);
    }

    MetricsServer& server_;
    Descriptor descriptor_;
    std::string head_;
    std::string answer_;
    std::size_t sent_ = 0;
    Watch watch_;
    Timer deadline_;
};

MetricsServer::MetricsServer(Loop& loop, Descriptor listener, Text text)
    : loop_(loop),
      text_(std::move(text)),
      acceptor_(loop, std::move(listener), [this](Descriptor descriptor, const SocketAddress&) { accept(std::move(descriptor)); }, [](const Error&) {}) {}

MetricsServer::~MetricsServer() = default;

void MetricsServer::accept(Descriptor descriptor) {
    if (exchanges_.size() >= kMostExchanges) return;
    auto exchange = std::make_unique<Exchange>(*this, std::move(descriptor));
    Exchange* const key = exchange.get();
    exchanges_.emplace(key, std::move(exchange));
}

void MetricsServer::over(Exchange& exchange) {
    const auto place = exchanges_.find(&exchange);
    if (place == exchanges_.end()) return;
    loop_.dispose(std::move(place->second));
    exchanges_.erase(place);
}

}  // namespace sallyport::gateway
