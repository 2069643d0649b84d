#include "gateway/metrics_server.h"

#include <gmock/gmock.h>
#include <sys/socket.h>

#include "net/socket.h"

namespace sallyport::gateway {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

class MetricsServerTest : public testing::Test {
protected:
    MetricsServerTest() {
        auto listener = listen_tcp(*SocketAddress::parse("127.0.0.1", 0)).value();
        address_ = SocketAddress::local_of(listener.get());
        server_.emplace(loop_, std::move(listener), [] { return std::string("figure 1\n"); });
    }
    // Sends `octets` and reads until the server closes.
    std::string converse(std::string_view octets) {
        const Descriptor client(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
        ::connect(client.get(), address_.data(), address_.size());
        std::string got;
        for (bool over = false, sent = false; !over;) {
            if (!sent) sent = ::send(client.get(), octets.data(), octets.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(octets.size());
            loop_.turn(std::chrono::milliseconds(5));
            char buffer[4096];
            const ssize_t count = ::recv(client.get(), buffer, sizeof buffer, 0);
            if (count > 0) got.append(buffer, static_cast<std::size_t>(count));
            over = count == 0 || (count < 0 && errno != EAGAIN && errno != ENOTCONN);
        }
        return got;
    }
    Loop loop_;
    SocketAddress address_;
    std::optional<MetricsServer> server_;
};

TEST_F(MetricsServerTest, AnswersTwoPathsAndNothingElse) {
    EXPECT_THAT(converse("GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n"), HasSubstr("\r\n\r\nfigure 1\n"));
    EXPECT_THAT(converse("GET /metrics?x=y HTTP/1.1\r\n\r\n"), StartsWith("HTTP/1.1 200 "));
    EXPECT_THAT(converse("GET /healthz HTTP/1.0\r\n\r\n"), HasSubstr("\r\n\r\nok\n"));
    EXPECT_THAT(converse("HEAD /metrics HTTP/1.1\r\n\r\n"), testing::Not(HasSubstr("figure")));
    EXPECT_THAT(converse("GET / HTTP/1.1\r\n\r\n"), StartsWith("HTTP/1.1 404 "));
    EXPECT_THAT(converse("POST /metrics HTTP/1.1\r\n\r\n"), StartsWith("HTTP/1.1 405 "));
    EXPECT_THAT(converse("nonsense\r\n\r\n"), StartsWith("HTTP/1.1 405 "));
}

TEST_F(MetricsServerTest, CutsWhoSaysTooMuch) { EXPECT_EQ(converse("GET /metrics HTTP/1.1\r\nX: " + std::string(9'000, 'x')), ""); }

}  // namespace
}  // namespace sallyport::gateway
