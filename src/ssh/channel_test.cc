#include "ssh/channel.h"

#include <algorithm>
#include <array>

#include <gtest/gtest.h>

#include "ssh/test_support.h"

namespace sallyport::ssh {
namespace {

std::string pattern(std::size_t size) {
    std::string text(size, '\0');
    std::uint32_t x = 1;
    for (char& c : text) c = static_cast<char>((x = x * 1664525 + 1013904223) >> 24);
    return text;
}

struct SshChannel : testing::Test {
    void SetUp() override { ASSERT_TRUE(ends.log_in()); }
    TestChannel& at_server() { return *ends.server.channels.back(); }
    // A session channel, open at both ends.
    void open_session() {
        local.channel = ends.client.connection->open_session(local).value();
        ASSERT_TRUE(ends.until([&] { return local.opened && !ends.server.channels.empty(); }));
    }
    TwoEnds ends;
    TestChannel local;
};

TEST_F(SshChannel, CarriesOctetsBothWaysAndEndsInOrder) {
    open_session();
    const std::string up = pattern(5'000'000);
    const std::string down = pattern(7'000'003);
    local.send(up, true);
    at_server().send(down, true);
    ASSERT_TRUE(ends.until([&] { return local.eof && at_server().eof; }));
    EXPECT_EQ(local.got == down, true);
    EXPECT_EQ(at_server().got == up, true);
    at_server().channel->send_exit({.code = 3});
    at_server().channel.reset();
    ASSERT_TRUE(ends.until([&] { return local.closed.has_value(); }));
    EXPECT_EQ(local.closed->code, Errc::end_of_stream);
    ASSERT_TRUE(local.exit);
    EXPECT_EQ(local.exit->code, 3U);
    ASSERT_TRUE(ends.until([&] { return ends.server.connection->open_channels() + ends.client.connection->open_channels() == 0; }));
}

TEST_F(SshChannel, RequestsAreAnsweredInOrderNowOrLater) {
    open_session();
    at_server().answer = Channel::Answer::later;
    std::vector<std::pair<std::string, bool>> answers;
    const auto note = [&](const char* name) { return [&answers, name](bool accepted) { answers.emplace_back(name, accepted); }; };
    local.channel->request_agent();
    local.channel->request_env("LANG", "C.UTF-8", note("env"));
    local.channel->request_pty("xterm", {.columns = 100, .rows = 50}, note("pty"));
    local.channel->request_exec("echo hello", note("exec"));
    ASSERT_TRUE(ends.until([&] { return at_server().requests.size() == 1; }));
    EXPECT_EQ(at_server().requests[0].kind, ChannelRequest::Kind::env);
    EXPECT_EQ(at_server().requests[0].text + "=" + at_server().requests[0].value, "LANG=C.UTF-8");
    at_server().channel->answer(Channel::Answer::refuse);
    ASSERT_TRUE(ends.until([&] { return at_server().requests.size() == 2; }));
    EXPECT_EQ(at_server().requests[1].text, "xterm");
    EXPECT_EQ(at_server().requests[1].size.columns, 100U);
    EXPECT_EQ(at_server().requests[1].size.rows, 50U);
    at_server().answer = Channel::Answer::accept;
    at_server().channel->answer(Channel::Answer::accept);
    ASSERT_TRUE(ends.until([&] { return answers.size() == 3; }));
    EXPECT_EQ(answers, (std::vector<std::pair<std::string, bool>>{{"env", false}, {"pty", true}, {"exec", true}}));
    local.channel->send_window_change({.columns = 7, .rows = 8});
    local.channel->send_signal("TERM");
    ASSERT_TRUE(ends.until([&] { return at_server().requests.size() == 5; }));
    EXPECT_EQ(at_server().requests[3].size.columns, 7U);
    EXPECT_EQ(at_server().requests[4].text, "TERM");
    at_server().error_to_send = "oops";
    at_server().send("fine");
    ASSERT_TRUE(ends.until([&] { return local.got == "fine" && local.got_error == "oops"; }));
    at_server().channel->send_exit({.signal = "KILL", .message = "gone"});
    at_server().channel->close();
    ASSERT_TRUE(ends.until([&] { return local.closed.has_value(); }));
    ASSERT_TRUE(local.exit);
    EXPECT_EQ(local.exit->signal, "KILL");
}

TEST_F(SshChannel, ARequestWithoutAnAnswerFailsAtTheEnd) {
    open_session();
    at_server().answer = Channel::Answer::later;
    std::optional<bool> accepted;
    local.channel->request_shell([&](bool yes) { accepted = yes; });
    ASSERT_TRUE(ends.until([&] { return at_server().requests.size() == 1; }));
    at_server().channel.reset();
    ASSERT_TRUE(ends.until([&] { return local.closed.has_value(); }));
    EXPECT_EQ(accepted, false);
}

TEST_F(SshChannel, DirectAndForwardedChannelsSayWhereTo) {
    local.channel = ends.client.connection->open_direct(local, "home.lan", 80, "192.0.2.7", 999).value();
    ASSERT_TRUE(ends.until([&] { return local.opened; }));
    EXPECT_EQ(ends.server.asked[0].kind, ChannelOpen::Kind::direct_tcpip);
    EXPECT_EQ(ends.server.asked[0].address, "home.lan");
    EXPECT_EQ(ends.server.asked[0].port, 80);
    EXPECT_EQ(ends.server.asked[0].origin_address, "192.0.2.7");
    TestChannel forwarded;
    forwarded.channel = ends.server.connection->open_forwarded(forwarded, {"localhost", 8123}, "198.51.100.1", 5000).value();
    ASSERT_TRUE(ends.until([&] { return forwarded.opened; }));
    EXPECT_EQ(ends.client.asked[0].kind, ChannelOpen::Kind::forwarded_tcpip);
    EXPECT_EQ(ends.client.asked[0].address, "localhost");
    EXPECT_EQ(ends.client.asked[0].port, 8123);
    EXPECT_EQ(ends.client.asked[0].origin_port, 5000);
}

TEST_F(SshChannel, WhatIsThereBeforeItIsOpenGoesOutThen) {
    local.channel = ends.client.connection->open_session(local).value();
    local.send("early", true);
    ASSERT_TRUE(ends.until([&] { return !ends.server.channels.empty() && at_server().eof; }));
    EXPECT_EQ(at_server().got, "early");
}

TEST_F(SshChannel, RefusedNowOrLaterAndBeyondTheLimit) {
    std::unique_ptr<IncomingChannel> kept;
    ends.server.on_channel = [&](std::unique_ptr<IncomingChannel> channel) { kept = std::move(channel); };
    local.channel = ends.client.connection->open_session(local).value();
    ASSERT_TRUE(ends.until([&] { return kept != nullptr; }));
    ends.loop.turn(std::chrono::milliseconds(10));
    EXPECT_FALSE(local.opened);
    kept->refuse();
    ASSERT_TRUE(ends.until([&] { return local.refused.has_value(); }));
    EXPECT_EQ(local.refused->code, Errc::refused);
    EXPECT_FALSE(local.opened);
    EXPECT_EQ(kept->accept(local).error().code, Errc::reset);
}

TEST(SshChannels, AreLimitedInNumber) {
    ServerSettings settings;
    settings.most_channels = 2;
    TwoEnds ends(settings);
    ASSERT_TRUE(ends.log_in());
    std::array<TestChannel, 3> locals;
    for (TestChannel& local : locals) local.channel = ends.client.connection->open_session(local).value();
    ASSERT_TRUE(ends.until([&] { return locals[0].opened && locals[1].opened && locals[2].refused; }));
    locals[0].channel.reset();
    ASSERT_TRUE(ends.until([&] { return ends.server.channels[0]->closed.has_value(); }));
    ends.server.channels[0]->channel.reset();
    ASSERT_TRUE(ends.until([&] { return ends.server.connection->open_channels() == 1; }));
    TestChannel again;
    again.channel = ends.client.connection->open_session(again).value();
    ASSERT_TRUE(ends.until([&] { return again.opened; }));
    EXPECT_EQ(ends.server.connection->open_forwarded(again, {"x", 1}, "", 0).error().code, Errc::no_space);
}

TEST_F(SshChannel, ClosedWhileItIsBeingOpened) {
    std::unique_ptr<IncomingChannel> kept;
    ends.server.on_channel = [&](std::unique_ptr<IncomingChannel> channel) { kept = std::move(channel); };
    local.channel = ends.client.connection->open_session(local).value();
    ASSERT_TRUE(ends.until([&] { return kept != nullptr; }));
    local.channel.reset();
    TestChannel remote;
    remote.channel = kept->accept(remote).value();
    ASSERT_TRUE(ends.until([&] { return remote.closed.has_value(); }));
    EXPECT_FALSE(local.opened);
    EXPECT_FALSE(ends.client.closed || ends.server.closed);
    ASSERT_TRUE(ends.until([&] { return ends.client.connection->open_channels() == 0; }));
}

TEST_F(SshChannel, AReaderWhoDoesNotConsumeStopsTheSender) {
    open_session();
    local.consume = false;
    local.keep = false;
    at_server().to_send = pattern(12'000'000);
    at_server().end = true;
    at_server().channel->wake();
    ASSERT_TRUE(ends.until([&] { return local.held >= Channel::kMostUnconsumed; }));
    for (int i = 0; i < 200; ++i) ends.loop.turn(std::chrono::milliseconds(1));
    EXPECT_EQ(local.held, Channel::kMostUnconsumed);
    EXPECT_LT(at_server().sent, 4'000'000U);
    // Others go on meanwhile.
    TestChannel other;
    other.channel = ends.client.connection->open_session(other).value();
    ASSERT_TRUE(ends.until([&] { return other.opened; }));
    ends.server.channels[1]->send("still here");
    ASSERT_TRUE(ends.until([&] { return other.got == "still here"; }));
    local.consume = true;
    local.channel->consumed(local.held);
    ASSERT_TRUE(ends.until([&] { return local.eof; }));
    EXPECT_EQ(local.got_octets, 12'000'000U);
}

TEST(SshChannels, UnreadOctetsAreBoundedForAll) {
    ClientSettings settings;
    settings.most_unread = 2_MiB;
    TwoEnds ends({}, settings);
    ASSERT_TRUE(ends.log_in());
    std::array<TestChannel, 8> locals;
    for (TestChannel& local : locals) {
        local.consume = false;
        local.keep = false;
        local.channel = ends.client.connection->open_session(local).value();
    }
    ASSERT_TRUE(ends.until([&] { return ends.server.channels.size() == 8; }));
    for (const auto& channel : ends.server.channels) channel->send(pattern(3'000'000), true);
    ASSERT_TRUE(ends.until([&] { return ends.client.connection->unread() > settings.most_unread; }));
    for (int i = 0; i < 200; ++i) ends.loop.turn(std::chrono::milliseconds(1));
    EXPECT_LT(ends.client.connection->unread(), settings.most_unread + 1_MiB);
    for (TestChannel& local : locals) {
        local.consume = true;
        local.channel->consumed(local.held);
    }
    ASSERT_TRUE(ends.until([&] { return std::ranges::all_of(locals, [](const TestChannel& local) { return local.eof; }); }));
    for (const TestChannel& local : locals) EXPECT_EQ(local.got_octets, 3'000'000U);
}

TEST(SshChannels, SurviveNewKeysUnderLoad) {
    ServerSettings server;
    server.rekey_octets = 1_MiB;
    ClientSettings client;
    client.rekey_octets = 3_MiB;
    TwoEnds ends(server, client);
    ASSERT_TRUE(ends.log_in());
    std::array<TestChannel, 3> locals;
    for (TestChannel& local : locals) local.channel = ends.client.connection->open_session(local).value();
    ASSERT_TRUE(ends.until([&] { return ends.server.channels.size() == 3 && locals[2].opened; }));
    const std::string text = pattern(9'000'001);
    for (TestChannel& local : locals) local.send(text, true);
    for (const auto& channel : ends.server.channels) channel->send(text, true);
    ASSERT_TRUE(ends.until([&] {
        return std::ranges::all_of(locals, [](const TestChannel& local) { return local.eof; }) &&
               std::ranges::all_of(ends.server.channels, [](const auto& channel) { return channel->eof; });
    }));
    for (TestChannel& local : locals) EXPECT_TRUE(local.got == text);
    for (const auto& channel : ends.server.channels) EXPECT_TRUE(channel->got == text);
}

TEST_F(SshChannel, AreToldWhenTheConnectionIsLost) {
    open_session();
    TestChannel opening;
    ends.server.on_channel = [](std::unique_ptr<IncomingChannel> channel) {
        static std::vector<std::unique_ptr<IncomingChannel>> kept;
        kept.push_back(std::move(channel));
    };
    opening.channel = ends.client.connection->open_session(opening).value();
    ASSERT_TRUE(ends.until([&] { return ends.server.asked.size() == 2; }));
    ends.server.connection->close({Errc::internal, "test"});
    ASSERT_TRUE(ends.until([&] { return ends.client.closed && ends.server.closed; }));
    EXPECT_EQ(local.closed->code, Errc::unreachable);
    EXPECT_EQ(at_server().closed->code, Errc::unreachable);
    EXPECT_EQ(opening.refused->code, Errc::reset);
    EXPECT_FALSE(local.channel->open());
    local.channel->wake();
    local.channel->consumed(1);
}

TEST_F(SshChannel, MayBeDestroyedInItsOwnCallbacks) {
    struct Hasty final : TestChannel {
        void on_channel_octets(Octets) override { channel.reset(); }
    };
    Hasty hasty;
    hasty.channel = ends.client.connection->open_session(hasty).value();
    ASSERT_TRUE(ends.until([&] { return ends.server.channels.size() == 1; }));
    at_server().send(pattern(2'000'000), true);
    ASSERT_TRUE(ends.until([&] { return at_server().closed.has_value(); }));
    EXPECT_FALSE(hasty.closed);
    EXPECT_FALSE(ends.client.closed);
}

}  // namespace
}  // namespace sallyport::ssh
