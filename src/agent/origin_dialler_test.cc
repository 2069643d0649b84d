#include "agent/origin_dialler.h"

#include "agent/agent_test_support.h"

namespace sallyport {
namespace {

class OriginDiallerTest : public testing::Test {
protected:
    OriginDiallerTest()
        : folder_(*StateFolder::open(temporary_.path())), trust(std::make_unique<OriginTrust>(workers, log, folder_)) {}

    std::expected<TransportPtr, Refusal> dial(const Target& target, OriginLimits limits = {}) {
        std::optional<std::expected<TransportPtr, Refusal>> result;
        OriginDialler dialler(loop, workers, *trust, target, limits,
                              [&](auto dialled) { result.emplace(std::move(dialled)); });
        EXPECT_TRUE(test::run_until(loop, [&] { return result.has_value(); }));
        return std::move(*result);
    }
    std::string cause_of(const Target& target, OriginLimits limits = {}) {
        const auto dialled = dial(target, limits);
        return dialled ? "connected" : dialled.error().cause;
    }
    static std::shared_ptr<const ServerTls> make_tls(std::string name = "127.0.0.1") {
        return *ServerTls::make({*make_self_signed(KeyType::p256, {std::move(name)})}, nullptr);
    }
    bool wait_for_noted_key() {
        return test::run_until(loop, [&] { return !load_noted_keys(folder_)->empty(); });
    }

    test::TemporaryFolder temporary_;
    StateFolder folder_;
    Loop loop;
    Log log{LogLevel::error, LogFormat::key_value};
    Workers workers{2};
    std::unique_ptr<OriginTrust> trust;
};

TEST_F(OriginDiallerTest, ConnectsToAPlainOrigin) {
    test::LoopbackOrigin origin(loop, {});
    const auto dialled = dial(test::make_target("x", origin.url("http")));
    ASSERT_TRUE(dialled);
    EXPECT_EQ((*dialled)->peer_address().port(), origin.port());
}

TEST_F(OriginDiallerTest, SaysWhyInTheWordsOfProxyStatus) {
    test::LoopbackOrigin origin(loop, {});
    const std::string closed = origin.url("http");
    origin.stop();
    EXPECT_EQ(cause_of(test::make_target("x", closed)), "connection_refused");
    EXPECT_EQ(cause_of(test::make_target("x", "http://no-such-host.invalid:80")), "dns_error");
}

TEST_F(OriginDiallerTest, GivesUpOnAHandshakeThatDoesntEnd) {
    test::LoopbackOrigin silent(loop, {});
    OriginLimits limits;
    limits.tls = std::chrono::milliseconds(50);
    EXPECT_EQ(cause_of(test::make_target("x", silent.url("https")), limits), "connection_timeout");
}

TEST_F(OriginDiallerTest, SaysThatItIsNoTls) {
    test::LoopbackOrigin plain(loop, [](test::OriginPeer& peer) { peer.send("HTTP/1.1 400 Bad Request\r\n\r\n"); });
    EXPECT_EQ(cause_of(test::make_target("x", plain.url("https"))), "tls_protocol_error");
}

TEST_F(OriginDiallerTest, NotesTheKeyAtFirstUseAndRefusesAnother) {
    test::LoopbackOrigin first(loop, {}, make_tls());
    const Target target = test::make_target("nas", first.url("https"));
    ASSERT_TRUE(dial(target));
    ASSERT_TRUE(wait_for_noted_key());
    EXPECT_EQ(cause_of(target), "connected");

    // Another agent process with the same state folder: the same name and address, another key.
    NotedKeys keys = *load_noted_keys(folder_);
    EXPECT_EQ(keys.at("nas").address, target.url.text());
    EXPECT_FALSE(keys.at("nas").valid);
    keys.at("nas").pin = std::string(43, 'A');
    ASSERT_TRUE(folder_.write(kNotedKeysFile, format_noted_keys(keys)));
    trust = std::make_unique<OriginTrust>(workers, log, folder_);
    ASSERT_TRUE(trust->load());
    const auto refused = dial(target);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().cause, "tls_certificate_error");
    EXPECT_EQ(refused.error().status, 502);
    EXPECT_NE(refused.error().details.find("sallyport agent trust nas"), std::string::npos);

    // What `sallyport agent trust nas` does, while this one runs.
    ASSERT_TRUE(folder_.write(kNotedKeysFile, format_noted_keys({})));
    EXPECT_EQ(cause_of(target), "connected");
}

TEST_F(OriginDiallerTest, TakesOnlyTheConfiguredKey) {
    const auto certificate = *make_self_signed(KeyType::p256, {"127.0.0.1"});
    test::LoopbackOrigin origin(loop, {}, *ServerTls::make({certificate}, nullptr));
    Target target = test::make_target("nas", origin.url("https"));
    target.trust = KeyTrust::pin;
    target.pin = *pin_of_certificate(certificate.chain_pem);
    EXPECT_EQ(cause_of(target), "connected");
    target.pin = std::string(43, 'A');
    EXPECT_EQ(cause_of(target), "tls_certificate_error");
    target.trust = KeyTrust::authorities;
    EXPECT_EQ(cause_of(target), "tls_certificate_error");
    EXPECT_TRUE(load_noted_keys(folder_)->empty());
}

TEST(NotedKeys, ComeBackAsTheyWereWritten) {
    const NotedKeys keys{{"nas", {"pin", "https://nas.lan:443", false}},
                         {"cam", {"pin2", "https://cam.lan:8443", true}}};
    EXPECT_EQ(parse_noted_keys(format_noted_keys(keys)).value(), keys);
    for (const std::string_view bad : {"", "[]", "{}", R"({"targets":[]})", R"({"targets":{"a":{"pin":"x"}}})"})
        EXPECT_FALSE(parse_noted_keys(bad)) << bad;
}

}  // namespace
}  // namespace sallyport
