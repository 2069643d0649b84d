#include "gateway/datagram_link.h"

#include <gtest/gtest.h>
#include <sys/socket.h>

#include "gateway/mosh_test_support.h"

namespace sallyport::gateway {
namespace {

using namespace test;
using namespace std::chrono_literals;
using Direction = MoshDatagram::Direction;

const Secret kKey("ZHkDlFfYLtSGrXSZnd6O/Q");

struct UdpSocket {
    UdpSocket() : descriptor(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)) {
        const auto any = SocketAddress::parse("127.0.0.1", 0);
        EXPECT_EQ(::bind(descriptor.get(), any->data(), any->size()), 0);
    }
    SocketAddress address() const { return SocketAddress::local_of(descriptor.get()); }
    void send(const SocketAddress& to, const std::vector<std::byte>& datagram) {
        ASSERT_EQ(::sendto(descriptor.get(), datagram.data(), datagram.size(), 0, to.data(), to.size()), static_cast<ssize_t>(datagram.size()));
    }
    std::optional<std::vector<std::byte>> receive() {
        std::vector<std::byte> room(2'048);
        socklen_t size = sizeof(sockaddr_storage);
        const ssize_t n = ::recvfrom(descriptor.get(), room.data(), room.size(), 0, from.data(), &size);
        if (n < 0) return std::nullopt;
        room.resize(static_cast<std::size_t>(n));
        return room;
    }
    Descriptor descriptor;
    SocketAddress from;
};

struct Fixture : DatagramLink::Owner {
    explicit Fixture(DatagramLink::Settings settings = {.repeat = false, .refused_after = 0s}) {
        auto opened = DatagramLink::open(loop, settings, server.address(), kKey, *this);
        if (!opened) std::abort();
        link = std::move(*opened);
    }
    void on_link_contact() override { ++contacts; }
    void on_link_refused() override { ++refusals; }
    std::vector<std::byte> sealed(Direction direction, std::uint64_t sequence, std::optional<std::uint16_t> reply = {}) {
        return opener.seal({direction, sequence, 1, reply}, as_octets("x"));
    }
    std::vector<std::byte> wait_at(UdpSocket& socket) {
        std::optional<std::vector<std::byte>> got;
        turn_until(loop, [&] { return (got = socket.receive()).has_value(); });
        return got.value_or(std::vector<std::byte>{});
    }
    Loop loop;
    UdpSocket server, client;
    MoshDatagramOpener opener = std::move(*MoshDatagramOpener::make(kKey));
    std::unique_ptr<DatagramLink> link;
    int contacts = 0, refusals = 0;
};

}  // namespace

TEST(DatagramLink, CarriesBothWaysAndMeasures) {
    Fixture f;
    const auto there = f.sealed(Direction::to_server, 0);
    f.client.send(f.link->client_side(), there);
    EXPECT_EQ(f.wait_at(f.server), there);
    EXPECT_FALSE(f.link->state().since_contact);
    const auto now = std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now().time_since_epoch()).count();
    const auto back = f.sealed(Direction::to_client, 0, static_cast<std::uint16_t>(now - 120));
    f.server.send(f.server.from, back);
    EXPECT_EQ(f.wait_at(f.client), back);
    EXPECT_EQ(f.contacts, 1);
    ASSERT_TRUE(f.link->state().since_contact);
    ASSERT_TRUE(f.link->state().round_trip);
    EXPECT_GE(*f.link->state().round_trip, 119ms);
    EXPECT_EQ(f.link->state().sent_octets, there.size());
    EXPECT_EQ(f.link->state().received_octets, back.size());
}

TEST(DatagramLink, TakesNothingFromStrangers) {
    Fixture f;
    UdpSocket stranger;
    stranger.send(f.link->client_side(), std::vector<std::byte>(60));                     // not sealed
    stranger.send(f.link->client_side(), f.sealed(Direction::to_client, 5));              // the wrong way
    stranger.send(f.link->client_side(), std::vector<std::byte>(4'000));
    const auto there = f.sealed(Direction::to_server, 1);
    f.client.send(f.link->client_side(), there);
    EXPECT_EQ(f.wait_at(f.server), there);  // nothing came before it
    stranger.send(f.server.from, f.sealed(Direction::to_client, 6));  // to the outer side, from elsewhere
    f.server.send(f.server.from, f.sealed(Direction::to_client, 7));
    EXPECT_EQ(f.wait_at(f.client), f.sealed(Direction::to_client, 7));
}

TEST(DatagramLink, RepeatsUntilTheServerAnswers) {
    Fixture f({.repeat = true, .refused_after = 0s});
    const auto there = f.sealed(Direction::to_server, 0);
    f.client.send(f.link->client_side(), there);
    for (int i = 0; i < 3; ++i) EXPECT_EQ(f.wait_at(f.server), there);
    f.server.send(f.server.from, f.sealed(Direction::to_client, 0));
    f.wait_at(f.client);
    while (f.server.receive()) {}
    const auto next = f.sealed(Direction::to_server, 1);
    f.client.send(f.link->client_side(), next);
    EXPECT_EQ(f.wait_at(f.server), next);
}

TEST(DatagramLink, SendsTwiceOverALossyLink) {
    Fixture f({.repeat = true, .refused_after = 0s});
    f.client.send(f.link->client_side(), f.sealed(Direction::to_server, 0));
    f.wait_at(f.server);
    for (std::uint64_t i = 0; i < 200; i += 2) {
        f.server.send(f.server.from, f.sealed(Direction::to_client, i));
        f.wait_at(f.client);
    }
    EXPECT_NEAR(f.link->state().loss.value_or(0), 0.5, 0.1);
    while (f.server.receive()) {}
    const auto key = f.sealed(Direction::to_server, 1);
    f.client.send(f.link->client_side(), key);
    EXPECT_EQ(f.wait_at(f.server), key);
    EXPECT_EQ(f.wait_at(f.server), key);
}

TEST(DatagramLink, TakesANewPortWhenMoshClientDoesAndHearsTheOldOneStill) {
    Fixture f;
    f.client.send(f.link->client_side(), f.sealed(Direction::to_server, 0));
    f.wait_at(f.server);
    const SocketAddress before = f.server.from;
    UdpSocket hopped;
    hopped.send(f.link->client_side(), f.sealed(Direction::to_server, 1));
    f.wait_at(f.server);
    EXPECT_NE(f.server.from.text(), before.text());
    const auto late = f.sealed(Direction::to_client, 0);
    f.server.send(before, late);
    EXPECT_EQ(f.wait_at(hopped), late);
    const auto fresh = f.sealed(Direction::to_client, 1);
    f.server.send(f.server.from, fresh);
    EXPECT_EQ(f.wait_at(hopped), fresh);
}

TEST(DatagramLink, TellsThatNobodyListens) {
    Fixture f;
    f.server.descriptor.reset();
    turn_until(f.loop, [&] {
        f.client.send(f.link->client_side(), f.sealed(Direction::to_server, 0));
        f.loop.turn(10ms);
        return f.refusals > 0;
    });
    EXPECT_EQ(f.contacts, 0);
}

}  // namespace sallyport::gateway
