#include "net/connector.h"

#include <gtest/gtest.h>

#include <optional>

#include "net/socket.h"

namespace sallyport {
namespace {

using namespace std::chrono_literals;

Result<Descriptor> connect_to(const std::string& host, std::uint16_t port) {
    Loop loop;
    Workers workers(1);
    std::optional<Result<Descriptor>> result;
    Connector connector(loop, workers, host, port, {}, [&](Result<Descriptor> r) { result = std::move(r); });
    while (!result) loop.turn(1s);
    return std::move(*result);
}

}  // namespace

TEST(Connector, ConnectsByNameAndByLiteral) {
    const auto listener = listen_tcp(SocketAddress::parse("127.0.0.1", 0).value()).value();
    const auto port = SocketAddress::local_of(listener.get()).port();
    EXPECT_TRUE(connect_to("127.0.0.1", port));
    EXPECT_TRUE(connect_to("localhost", port));
}

TEST(Connector, TellsWhyNot) {
    std::uint16_t port = 0;
    {
        const auto listener = listen_tcp(SocketAddress::parse("127.0.0.1", 0).value()).value();
        port = SocketAddress::local_of(listener.get()).port();
    }
    EXPECT_EQ(connect_to("127.0.0.1", port).error().code, Errc::refused);
    EXPECT_EQ(connect_to("no such host", 1).error().code, Errc::not_found);
}

TEST(Connector, KnowsWhatTheKernelKnows) {
    const auto listener = listen_tcp(SocketAddress::parse("127.0.0.1", 0).value()).value();
    Loop loop;
    Workers workers(1);
    std::optional<Result<Descriptor>> result;
    Connector connector(loop, workers, "127.0.0.1", SocketAddress::local_of(listener.get()).port(), {}, [&](Result<Descriptor> r) { result = std::move(r); });
    EXPECT_FALSE(connector.connected());
    // Nobody accepts it; on loopback it stands at once, before the loop hears of it.
    for (int i = 0; i < 1000 && !result && !connector.connected(); ++i) loop.turn(10ms);
    EXPECT_TRUE(result || connector.connected());
}

TEST(Connector, IsCancelledByItsDestructor) {
    Loop loop;
    Workers workers(1);
    { Connector connector(loop, workers, "localhost", 1, {}, [](Result<Descriptor>) { FAIL(); }); }
    for (int i = 0; i < 5; ++i) loop.turn(5ms);
}

}  // namespace sallyport
