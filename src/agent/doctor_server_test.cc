#include "agent/doctor_server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "agent/agent_test_support.h"
#include "agent/http_call.h"
#include "agent/test_octets.h"

namespace sallyport {
namespace {

using testing::HasSubstr;

// A request to it, and what came of it.
struct Asked final : HttpCall::Owner {
    Asked(Loop& loop, TransportPtr connection, std::string method, std::string target, ByteCount content = 0, std::uint64_t seed = 1)
        : source(seed) {
        HttpCall::Request request;
        request.head.method = std::move(method);
        request.head.target = std::move(target);
        request.head.authority = "home.example.org";
        if (content > 0) request.head.framing = {Framing::Kind::content_length, content};
        request.fill = [this](MutableOctets room) { source.fill(room); };
        call = std::make_unique<HttpCall>(loop, std::move(connection), std::move(request), *this);
    }
    void on_head(const ResponseHead& head) override {
        status = head.status;
        named = head.fields.find(kDoctorField).has_value();
    }
    void on_content(Octets octets) override { content += as_text(octets); }
    void on_over(Result<> how) override {
        over = true;
        whole = how.has_value();
    }
    TestOctets source;
    int status = 0;
    bool named = false;
    std::string content;
    bool over = false;
    bool whole = false;
    std::unique_ptr<HttpCall> call;
};

class DoctorServerTest : public testing::Test {
protected:
    std::unique_ptr<Asked> ask(std::string method, std::string target, ByteCount content = 0) {
        auto connection = server.connect();
        EXPECT_TRUE(connection);
        return std::make_unique<Asked>(loop, std::move(*connection), std::move(method), std::move(target), content);
    }
    std::unique_ptr<Asked> answer(std::string method, std::string target, ByteCount content = 0) {
        auto asked = ask(std::move(method), std::move(target), content);
        EXPECT_TRUE(test::run_until(loop, [&] { return asked->over; }));
        return asked;
    }
    Loop loop;
    DoctorServer server{loop};
};

TEST_F(DoctorServerTest, SaysWhoAnswers) {
    const auto asked = answer("GET", "/here");
    EXPECT_EQ(asked->status, 200);
    EXPECT_TRUE(asked->named);
    EXPECT_TRUE(asked->whole);
    EXPECT_THAT(asked->content, HasSubstr("\"agent\""));
    EXPECT_EQ(answer("GET", "/")->status, 404);
    EXPECT_EQ(answer("DELETE", "/here")->status, 404);
}

TEST_F(DoctorServerTest, HashesWhatIsUploaded) {
    const auto asked = answer("POST", "/upload", 3'000'001);
    EXPECT_EQ(asked->status, 200);
    EXPECT_THAT(asked->content, HasSubstr("3000001"));
    EXPECT_THAT(asked->content, HasSubstr(sha256_of_test_octets(1, 3'000'001)));
    EXPECT_EQ(answer("POST", "/upload", DoctorServer::kMostContent + 1)->status, 413);
}

TEST_F(DoctorServerTest, MakesWhatIsDownloaded) {
    const auto asked = answer("GET", "/download?octets=3000001&seed=7");
    EXPECT_TRUE(asked->whole);
    ASSERT_EQ(asked->content.size(), 3'000'001u);
    Sha256 hash;
    hash.add(as_octets(asked->content));
    EXPECT_EQ(hash.hex(), sha256_of_test_octets(7, 3'000'001));
    for (const char* wrong : {"/download", "/download?octets=1", "/download?octets=x&seed=1", "/download?octets=33554433&seed=1"})
        EXPECT_EQ(answer("GET", wrong)->status, 400) << wrong;
}

TEST_F(DoctorServerTest, HoldsAnEventStreamUntilItsFirstEventWasSeen) {
    const auto events = ask("GET", "/events?id=e1");
    ASSERT_TRUE(test::run_until(loop, [&] { return events->content.contains("data: e1"); }));
    EXPECT_FALSE(events->over);
    EXPECT_EQ(answer("POST", "/seen?id=e2")->status, 404);
    EXPECT_EQ(answer("POST", "/seen?id=e1")->status, 200);
    ASSERT_TRUE(test::run_until(loop, [&] { return events->over; }));
    EXPECT_THAT(events->content, HasSubstr("event: seen\ndata: yes\n\n"));
    EXPECT_EQ(answer("GET", "/events")->status, 400);
}

TEST_F(DoctorServerTest, TakesABoundedNumberOfConnections) {
    std::vector<TransportPtr> connections;
    for (std::size_t i = 0; i < DoctorServer::kMostPeers; ++i) {
        auto connection = server.connect();
        ASSERT_TRUE(connection);
        connections.push_back(std::move(*connection));
    }
    EXPECT_EQ(server.connect().error().code, Errc::no_space);
    connections.clear();
    EXPECT_TRUE(test::run_until(loop, [&] { return server.connect().has_value(); }));
}

TEST(TestOctets, AreTheSameHoweverTheyAreCut) {
    std::string whole(1000, '\0');
    TestOctets(5).fill(std::as_writable_bytes(std::span(whole)));
    for (std::size_t cut = 1; cut < 40; ++cut) {
        std::string pieces(1000, '\0');
        TestOctets source(5);
        for (std::size_t at = 0; at < pieces.size(); at += cut)
            source.fill(std::as_writable_bytes(std::span(pieces).subspan(at, std::min(cut, pieces.size() - at))));
        EXPECT_EQ(pieces, whole) << cut;
    }
    EXPECT_NE(sha256_of_test_octets(1, 100), sha256_of_test_octets(2, 100));
}

}  // namespace
}  // namespace sallyport
