#include "agent/transport_stream.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "agent/agent_test_support.h"
#include "net/tcp_transport.h"

namespace sallyport {
namespace {

// The far end: a socket of which the test reads and writes by hand.
struct Pair {
    explicit Pair(Loop& loop) {
        int ends[2];
        EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends), 0);
        transport = make_plain_transport(loop, Descriptor(ends[0]));
        peer.reset(ends[1]);
    }
    // What is there now.
    std::string read() {
        std::string got(1 << 20, '\0');
        const ssize_t count = ::read(peer.get(), got.data(), got.size());
        ended |= count == 0;
        got.resize(static_cast<std::size_t>(std::max<ssize_t>(count, 0)));
        return got;
    }
    std::size_t write(std::string_view octets) {
        const ssize_t count = ::write(peer.get(), octets.data(), octets.size());
        return static_cast<std::size_t>(std::max<ssize_t>(count, 0));
    }
    TransportPtr transport;
    Descriptor peer;
    bool ended = false;
};

struct Owner final : Stream::Owner {
    void on_stream_accepted() override {}
    void on_stream_refused(const Refusal&) override {}
    void on_stream_octets(Octets octets) override {
        received += as_text(octets);
        if (consumes) stream->consumed(octets.size());
    }
    void on_stream_end() override { ended = true; }
    void on_stream_reset(const Error&) override { reset = true; }
    Stream::Pulled on_stream_pull(MutableOctets room) override {
        const std::size_t count = std::min(room.size(), to_send.size());
        std::ranges::copy(as_octets(std::string_view(to_send).substr(0, count)), room.begin());
        to_send.erase(0, count);
        return {count, to_send.empty() && ends};
    }
    std::unique_ptr<IncomingStream> stream;
    std::string received, to_send;
    bool consumes = true, ends = false, ended = false, reset = false;
};

class TransportStreamTest : public testing::Test {
protected:
    TransportStreamTest() {
        owner.stream = streams.make(std::move(pair.transport));
        owner.stream->set_owner(owner);
        owner.stream->accept();
    }
    Loop loop;
    TransportStreams streams{loop};
    Pair pair{loop};
    Owner owner;
};

TEST_F(TransportStreamTest, CarriesOctetsAndEndsBothWays) {
    pair.write("question");
    ASSERT_TRUE(test::run_until(loop, [&] { return owner.received == "question"; }));
    owner.to_send = "answer";
    owner.ends = true;
    owner.stream->wake();
    std::string got;
    ASSERT_TRUE(test::run_until(loop, [&] { return (got += pair.read(), pair.ended); }));
    EXPECT_EQ(got, "answer");
    EXPECT_FALSE(owner.ended) << "the other direction goes on";
    ::shutdown(pair.peer.get(), SHUT_WR);
    ASSERT_TRUE(test::run_until(loop, [&] { return owner.ended; }));
    EXPECT_FALSE(owner.reset);
}

TEST_F(TransportStreamTest, ReceivingPausesWhileNobodyTakesTheOctets) {
    owner.consumes = false;
    const std::string block(64 * 1024, 'x');
    std::size_t written = 0;
    // Until the socket's buffer is full and nothing moves any more.
    for (int idle = 0; idle < 50;) {
        const std::size_t before = written + owner.received.size();
        written += pair.write(block);
        loop.turn(std::chrono::milliseconds(1));
        idle = before == written + owner.received.size() ? idle + 1 : 0;
    }
    EXPECT_LE(owner.received.size(), TransportStreams::kWindow + LoopBuffers::kReceive);
    EXPECT_LT(owner.received.size(), written);
    owner.consumes = true;
    owner.stream->consumed(owner.received.size());
    ASSERT_TRUE(test::run_until(loop, [&] { return owner.received.size() == written; }));
}

TEST_F(TransportStreamTest, WhatWasSentArrivesThoughTheStreamIsGone) {
    ::shutdown(pair.peer.get(), SHUT_WR);
    ASSERT_TRUE(test::run_until(loop, [&] { return owner.ended; }));
    const std::size_t octets = 8 << 20;  // more than a socket takes at once
    owner.to_send.assign(octets, 'y');
    owner.ends = true;
    owner.stream->wake();
    std::size_t got = 0;
    ASSERT_TRUE(test::run_until(loop, [&] {
        got += pair.read().size();
        // As the pump does: gone once all was pulled.
        if (owner.to_send.empty()) loop.dispose(std::move(owner.stream));
        return pair.ended;
    }));
    EXPECT_EQ(got, octets);
}

TEST_F(TransportStreamTest, DestroyedBeforeItsEndTheConnectionIsCut) {
    loop.dispose(std::move(owner.stream));
    loop.turn(std::chrono::milliseconds(0));
    EXPECT_TRUE(test::run_until(loop, [&] { return (pair.read(), pair.ended); }));
}

}  // namespace
}  // namespace sallyport
