#include "ssh/connection.h"

#include <gtest/gtest.h>

#include "ssh/test_support.h"

namespace sallyport::ssh {
namespace {

TEST(SshConnection, LogsInAndClosesBothWays) {
    TwoEnds ends;
    ASSERT_TRUE(ends.log_in());
    EXPECT_EQ(ends.client.host_key, ends.host_key->public_key());
    EXPECT_EQ(ends.server.logins.at(0).user, "home");
    EXPECT_EQ(ends.server.connection->peer_version().substr(0, 8), "SSH-2.0-");
    EXPECT_EQ(ends.client.connection->peer_version(), "SSH-2.0-Sallyport");
    ends.server.connection->close({Errc::timeout, "enough"}, "that was all");
    EXPECT_FALSE(ends.server.closed);
    ASSERT_TRUE(ends.until([&] { return ends.server.closed && ends.client.closed; }));
    EXPECT_EQ(ends.server.closed->code, Errc::timeout);
    EXPECT_EQ(ends.client.closed->code, Errc::end_of_stream);
    EXPECT_NE(ends.client.closed->detail.find("that was all"), std::string::npos) << ends.client.closed->detail;
}

TEST(SshConnection, AKeyIsAskedForThenProven) {
    TwoEnds ends;
    const PrivateKey key = PrivateKey::generate().value();
    ends.client.log_in = [&] { ends.client.connection->log_in_with_key(key); };
    ASSERT_TRUE(ends.log_in());
    ASSERT_FALSE(ends.server.logins.empty());
    EXPECT_EQ(ends.server.logins.back().key, key.public_key());
    EXPECT_TRUE(ends.server.logins.back().proven);
}

TEST(SshConnection, LoginsAreAnsweredLaterAndRefused) {
    TwoEnds ends;
    ends.server.on_login = [&](const LoginRequest&) {};
    ends.client.log_in = [&] { ends.client.connection->log_in_with_password(Secret(std::string("wrong"))); };
    ASSERT_TRUE(ends.until([&] { return !ends.server.logins.empty(); }));
    EXPECT_EQ(ends.server.logins[0].method, LoginRequest::Method::password);
    EXPECT_EQ(ends.server.logins[0].password.reveal(), "wrong");
    ends.loop.turn(std::chrono::milliseconds(10));
    ends.server.connection->send_banner("try a key\n");
    ends.server.connection->reject_login({.public_key = true, .password = true});
    ASSERT_TRUE(ends.until([&] { return !ends.client.refusals.empty(); }));
    EXPECT_TRUE(ends.client.refusals[0].password);
    EXPECT_TRUE(ends.client.refusals[0].public_key);
    EXPECT_FALSE(ends.client.refusals[0].partial);
    EXPECT_EQ(ends.client.refusals[0].banner, "try a key\n");
    ends.client.connection->log_in_with_password(Secret(std::string("right")));
    ASSERT_TRUE(ends.until([&] { return ends.server.logins.size() == 2; }));
    ends.server.connection->accept_login();
    ASSERT_TRUE(ends.log_in());
}

TEST(SshConnection, LoginGraceEnds) {
    TwoEnds ends({{.login_grace = std::chrono::milliseconds(50)}});
    ends.client.trust = false;
    ASSERT_TRUE(ends.until([&] { return ends.server.closed && ends.client.closed; }));
    EXPECT_EQ(ends.server.closed->code, Errc::timeout);
}

TEST(SshConnection, TooManyLoginsAreSentAway) {
    ServerSettings settings;
    settings.most_login_attempts = 3;
    TwoEnds ends(settings);
    ends.server.on_login = [&](const LoginRequest&) { ends.server.connection->reject_login({.public_key = true, .password = true}); };
    ends.client.log_in = [&] { ends.client.connection->log_in_with_password(Secret(std::string("a"))); };
    ends.client.on_refused = ends.client.log_in;
    ASSERT_TRUE(ends.until([&] { return ends.server.closed && ends.client.closed; }));
    EXPECT_EQ(ends.server.logins.size(), 3U);
    EXPECT_EQ(ends.server.closed->code, Errc::unauthorized);
}

TEST(SshConnection, ForwardsAreAskedAnsweredAndCancelled) {
    TwoEnds ends;
    ASSERT_TRUE(ends.log_in());
    std::vector<Result<std::uint16_t>> answers;
    const auto note = [&](Result<std::uint16_t> answer) { answers.push_back(answer); };
    ends.client.connection->request_forward("localhost", 8123, note);
    ends.client.connection->request_forward("", 0, note);
    EXPECT_TRUE(answers.empty());
    ASSERT_TRUE(ends.until([&] { return answers.size() == 2; }));
    EXPECT_EQ(answers[0].value(), 8123);
    EXPECT_EQ(answers[1].value(), 4321);
    EXPECT_EQ(ends.server.forwards[0].address, "localhost");
    ends.client.connection->cancel_forward("localhost", 8123);
    ASSERT_TRUE(ends.until([&] { return !ends.server.cancelled.empty(); }));
    ends.server.on_forward = [&](const ForwardRequest&) {};
    ends.client.connection->request_forward("later", 1, note);
    ASSERT_TRUE(ends.until([&] { return ends.server.forwards.size() == 3; }));
    ends.loop.turn(std::chrono::milliseconds(10));
    EXPECT_EQ(answers.size(), 2U);
    ends.server.connection->refuse_forward();
    ASSERT_TRUE(ends.until([&] { return answers.size() == 3; }));
    EXPECT_EQ(answers[2].error().code, Errc::refused);
    ends.client.connection->request_forward("never", 1, note);
    ASSERT_TRUE(ends.until([&] { return ends.server.forwards.size() == 4; }));
    ends.client.connection->close({Errc::internal, "over"});
    ASSERT_TRUE(ends.until([&] { return answers.size() == 4; }));
    EXPECT_EQ(answers[3].error().code, Errc::reset);
    ASSERT_TRUE(ends.until([&] { return ends.client.closed && ends.server.closed; }));
}

TEST(SshConnection, KeepaliveMeasuresAndADeadPeerIsNoticed) {
    TwoEnds ends({{.keepalive_interval = std::chrono::milliseconds(50)}});
    ASSERT_TRUE(ends.log_in());
    ASSERT_TRUE(ends.until([&] { return ends.server.connection->round_trip().count() > 0; }));
    ends.client.connection->ping();
    ends.client.connection.reset();  // closes: the server sees it
    ASSERT_TRUE(ends.until([&] { return ends.server.closed.has_value(); }));

    SocketPair pair = connected_pair();
    ClientSettings settings;
    settings.user = "home";
    settings.keepalive_interval = std::chrono::milliseconds(30);
    ServerSettings silent;
    silent.keepalive_interval = std::chrono::milliseconds(0);
    TwoEnds others(silent, settings);
    ASSERT_TRUE(others.log_in());
    others.server.connection->park();  // reads nothing any more
    ASSERT_TRUE(others.until([&] { return others.client.closed.has_value(); }));
    EXPECT_EQ(others.client.closed->code, Errc::timeout);
}

TEST(SshConnection, MovesToAnotherLoop) {
    TwoEnds ends;
    Loop other;
    TestServer next;
    ends.server.when_authenticated = [&] { ends.server.connection->park(); };
    ASSERT_TRUE(ends.log_in());
    std::optional<std::uint16_t> port;
    ends.client.connection->request_forward("localhost", 80, [&](Result<std::uint16_t> answer) { port = answer.value(); });
    for (int i = 0; i < 5; ++i) ends.loop.turn(std::chrono::milliseconds(5));
    EXPECT_TRUE(ends.server.forwards.empty());
    next.connection = std::move(ends.server.connection);
    next.connection->unpark(other, next);
    const TimePoint end = Clock::now() + std::chrono::seconds(60);
    while (!port && Clock::now() < end) {
        other.turn(std::chrono::milliseconds(1));
        ends.loop.turn(std::chrono::milliseconds(1));
    }
    EXPECT_EQ(port, 80);
    EXPECT_EQ(next.forwards.size(), 1U);
    next.connection.reset();
}

TEST(SshConnection, AStrangerWhoSpeaksNoSshIsDropped) {
    start_library_once();
    Loop loop;
    const PrivateKey key = PrivateKey::generate().value();
    const ServerHost host = ServerHost::make(key, {}).value();
    for (const std::string_view text : {"GET / HTTP/1.1\r\n\r\n", "SSH-1.5-old\r\n", "SSH-2.0-x\r\n\0\0\0\1garbage garbage", "\n\n\n\n"}) {
        SocketPair pair = connected_pair();
        TestServer server;
        server.connection = ServerConnection::make(loop, host, std::move(pair.server), server).value();
        ASSERT_EQ(::send(pair.client.get(), text.data(), text.size(), 0), static_cast<ssize_t>(text.size()));
        ::shutdown(pair.client.get(), SHUT_WR);
        ASSERT_TRUE(turn_until(loop, [&] { return server.closed.has_value(); })) << text;
    }
}

}  // namespace
}  // namespace sallyport::ssh
