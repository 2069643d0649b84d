#include "ssh/channel_stream.h"

#include <gtest/gtest.h>

#include "ssh/test_support.h"

namespace sallyport::ssh {
namespace {

struct StreamEnd : Stream::Owner {
    void on_stream_accepted() override { accepted = true; }
    void on_stream_refused(const Refusal& why) override { refused = why; }
    void on_stream_octets(Octets octets) override {
        got += as_text(octets);
        stream->consumed(octets.size());
    }
    void on_stream_end() override { ended = true; }
    void on_stream_reset(const Error& error) override { reset = error; }
    Stream::Pulled on_stream_pull(MutableOctets room) override {
        const std::size_t n = std::min(room.size(), to_send.size());
        std::copy_n(as_octets(to_send).begin(), n, room.begin());
        to_send.erase(0, n);
        return {.octets = n, .end = last && to_send.empty()};
    }
    void send(std::string_view text, bool end) {
        to_send += text;
        last = end;
        stream->wake();
    }
    StreamPtr stream;
    std::string got;
    std::string to_send;
    bool last = false;
    bool accepted = false;
    bool ended = false;
    std::optional<Refusal> refused;
    std::optional<Error> reset;
};

// The relay's end here, the agent's there.
struct SshStream : testing::Test {
    void SetUp() override {
        ASSERT_TRUE(ends.log_in());
        ends.client.on_channel = [&](std::unique_ptr<IncomingChannel> channel) {
            std::unique_ptr<IncomingStream> stream = as_stream(std::move(channel));
            stream->set_owner(there);
            incoming = stream.get();
            there.stream = std::move(stream);
        };
        here.stream = open_forwarded_stream(*ends.server.connection, here, {"home.example", 80}, "192.0.2.1", 7).value();
        ASSERT_TRUE(until([&] { return incoming != nullptr; }));
    }
    bool until(const std::function<bool()>& condition) { return ends.until(condition); }
    TwoEnds ends;
    StreamEnd here;
    StreamEnd there;
    IncomingStream* incoming = nullptr;
};

TEST_F(SshStream, CarriesBothWaysAndEndsInOrder) {
    here.send("early ", false);
    incoming->accept();
    ASSERT_TRUE(until([&] { return here.accepted; }));
    here.send("and late", true);
    there.send(std::string(3'000'000, 'x'), true);
    ASSERT_TRUE(until([&] { return here.ended && there.ended; }));
    EXPECT_EQ(there.got, "early and late");
    EXPECT_EQ(here.got.size(), 3'000'000U);
    here.stream.reset();
    there.stream.reset();
    ASSERT_TRUE(until([&] { return ends.server.connection->open_channels() + ends.client.connection->open_channels() == 0; }));
    EXPECT_FALSE(here.reset || there.reset);
}

TEST_F(SshStream, ARefusalIsAStatus) {
    incoming->refuse({.status = 502});
    ASSERT_TRUE(until([&] { return here.refused.has_value(); }));
    EXPECT_EQ(here.refused->status, 403);
}

TEST_F(SshStream, CutByTheOtherEnd) {
    incoming->accept();
    ASSERT_TRUE(until([&] { return here.accepted; }));
    there.stream->reset();
    ASSERT_TRUE(until([&] { return here.reset.has_value(); }));
    EXPECT_EQ(here.reset->code, Errc::reset);
}

TEST_F(SshStream, LostWithTheConnectionEvenBeforeItIsAccepted) {
    ends.server.connection->close({Errc::internal, "over"});
    ASSERT_TRUE(until([&] { return here.refused && there.reset; }));
    EXPECT_EQ(here.refused->status, 502);
    EXPECT_EQ(there.reset->code, Errc::unreachable);
    incoming->accept();
    ASSERT_TRUE(until([&] { return ends.server.closed && ends.client.closed; }));
}

}  // namespace
}  // namespace sallyport::ssh
