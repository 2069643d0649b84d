#include "agent/target_scout.h"

#include "agent/agent_test_support.h"

namespace sallyport {
namespace {

class TargetScoutTest : public testing::Test {
protected:
    void use(std::vector<Target> entries) {
        table = TargetTable(std::move(entries), TargetTable::AnyTarget::refused);
        scout = std::make_unique<TargetScout>(loop, workers, trust, log, table, [this] { ++changes; }, pace);
    }
    std::expected<Target, Refusal> prepare(const std::string& name) {
        std::optional<std::expected<Target, Refusal>> result;
        scout->prepare(*table.find(name), [&](auto prepared) { result = std::move(prepared); });
        EXPECT_TRUE(test::run_until(loop, [&] { return result.has_value(); }));
        return std::move(*result);
    }
    TargetReport report() { return scout->reports().front(); }

    Loop loop;
    Log log{LogLevel::error, LogFormat::key_value};
    Workers workers{2};
    OriginTrust trust{workers, log, std::nullopt};
    TargetTable table{{}, TargetTable::AnyTarget::refused};
    std::unique_ptr<TargetScout> scout;
    TargetScout::Pace pace;
    int changes = 0;
};

TEST_F(TargetScoutTest, FindsOutWhatHomeAssistantTakes) {
    for (const bool trusts : {false, true}) {
        test::LoopbackOrigin home(loop, test::PretendedHomeAssistant{.trusts = trusts});
        use({test::make_target("homeassistant", home.url("http"))});
        EXPECT_EQ(report().forwarded_for, ForwardedForSupport::unknown);
        scout->look_at({"homeassistant", "not-in-the-table"});
        ASSERT_TRUE(test::run_until(loop, [&] { return changes > 0; }));
        EXPECT_TRUE(report().home_assistant);
        EXPECT_FALSE(report().trusted_networks);
        EXPECT_EQ(report().forwarded_for, trusts ? ForwardedForSupport::accepted : ForwardedForSupport::refused);
        EXPECT_EQ(report().note.empty(), trusts);
        EXPECT_EQ(report().authority, "127.0.0.1:" + std::to_string(home.port()));
        if (!trusts) {
            EXPECT_NE(report().note.find("trusted_proxies: 127.0.0.1"), std::string::npos);
        }
        EXPECT_TRUE(prepare("homeassistant"));
        changes = 0;
        scout.reset();
    }
}

TEST_F(TargetScoutTest, AStreamWaitsUntilTheRelayKnowsAboutTrustedNetworks) {
    test::LoopbackOrigin home(loop, test::PretendedHomeAssistant{.trusts = false, .trusted_networks = true});
    use({test::make_target("ha", home.url("http"))});
    const auto first = prepare("ha");
    ASSERT_FALSE(first);
    EXPECT_NE(first.error().details.find("trusted_networks"), std::string::npos);
    EXPECT_EQ(changes, 1);
    EXPECT_TRUE(report().trusted_networks);
    EXPECT_TRUE(prepare("ha")) << "now it is the relay's decision";
}

TEST_F(TargetScoutTest, SaysWhetherItHasAsked) {
    test::LoopbackOrigin home(loop, test::PretendedHomeAssistant{.trusts = true, .trusted_networks = true});
    use({test::make_target("ha", home.url("http")), test::make_target("mqtt", "tcp://127.0.0.1:1")});
    EXPECT_FALSE(report().probed);
    EXPECT_TRUE(scout->reports().back().probed) << "there is nothing to ask";
    EXPECT_TRUE(prepare("ha"));
    EXPECT_TRUE(report().probed);
    changes = 0;
    scout->forget("ha");
    EXPECT_FALSE(report().probed) << "it may come back as another one";
    EXPECT_EQ(changes, 1);
    EXPECT_TRUE(prepare("ha"));
    EXPECT_EQ(changes, 2) << "found out the same, and the relay has to know";
    scout->begin_anew();
    EXPECT_FALSE(report().probed);
}

TEST_F(TargetScoutTest, ATargetBeyondTheTableIsNotServedWhereTheRelayWouldHaveToKnow) {
    test::LoopbackOrigin home(loop, test::PretendedHomeAssistant{.trusts = true, .trusted_networks = true});
    use({});
    std::optional<std::expected<Target, Refusal>> result;
    scout->prepare(test::make_target("127.0.0.1", home.url("http")), [&](auto prepared) { result = std::move(prepared); });
    ASSERT_TRUE(test::run_until(loop, [&] { return result.has_value(); }));
    ASSERT_FALSE(*result);
    EXPECT_NE(result->error().details.find("services"), std::string::npos);
}

TEST_F(TargetScoutTest, TrustedNetworksThatCameLaterAreNoticedBeforeTheNextStream) {
    pace.again = std::chrono::milliseconds(0);
    test::PretendedHomeAssistant answers;
    std::size_t forwarded = 0;
    test::LoopbackOrigin home(loop, [&](test::OriginPeer& peer) {
        forwarded += peer.received.find("X-Forwarded-For") != std::string::npos;
        answers(peer);
    });
    use({test::make_target("ha", home.url("http"))});
    ASSERT_TRUE(prepare("ha"));
    ASSERT_TRUE(prepare("ha"));
    answers.trusted_networks = true;
    const auto refused = prepare("ha");
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().status, 503);
    EXPECT_TRUE(report().trusted_networks);
    EXPECT_EQ(forwarded, 1u) << "Home Assistant logs an error for each";
    pace.again = std::chrono::hours(1);
    EXPECT_FALSE(prepare("ha")) << "the relay may have sent it before it heard";
    home.stop();
    home.peers.clear();
    EXPECT_FALSE(prepare("ha"));
}

TEST_F(TargetScoutTest, AStreamDoesntWaitLongForWhatIsHardlyHomeAssistant) {
    pace.patience = std::chrono::milliseconds(10);
    test::LoopbackOrigin silent(loop, {});
    use({test::make_target("radio", silent.url("http"))});
    EXPECT_TRUE(prepare("radio"));
}

TEST_F(TargetScoutTest, TrustedNetworksAreHarmlessWhereTheFieldIsTaken) {
    test::LoopbackOrigin home(loop, test::PretendedHomeAssistant{.trusts = true, .trusted_networks = true});
    use({test::make_target("ha", home.url("http"))});
    EXPECT_TRUE(prepare("ha"));
    EXPECT_TRUE(report().trusted_networks);
    EXPECT_EQ(report().forwarded_for, ForwardedForSupport::accepted);
}

TEST_F(TargetScoutTest, WhatIsNotThereIsAskedAgainByTheNextStream) {
    auto home = std::make_unique<test::LoopbackOrigin>(loop, test::PretendedHomeAssistant{});
    use({test::make_target("homeassistant", home->url("http"))});
    ASSERT_TRUE(prepare("homeassistant"));
    home.reset();
    scout->forget("homeassistant");
    const auto gone = prepare("homeassistant");
    ASSERT_FALSE(gone);
    EXPECT_EQ(gone.error().cause, "connection_refused");
    EXPECT_FALSE(report().home_assistant);
}

TEST_F(TargetScoutTest, AHomeAssistantThatDoesntAnswerIsNotServed) {
    test::LoopbackOrigin garbage(loop, [](test::OriginPeer& peer) { peer.send("garbage\r\n\r\n"); });
    use({test::make_target("homeassistant", garbage.url("http"))});
    const auto refused = prepare("homeassistant");
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().cause, "http_protocol_error");
}

TEST_F(TargetScoutTest, ServesAnythingElseAsItIs) {
    test::LoopbackOrigin garbage(loop, [](test::OriginPeer& peer) { peer.send("garbage\r\n\r\n"); });
    use({test::make_target("radio", garbage.url("http")), test::make_target("mqtt", "tcp://127.0.0.1:1883")});
    EXPECT_TRUE(prepare("radio"));
    EXPECT_TRUE(prepare("mqtt")) << "nobody asks a tcp target anything";
    EXPECT_EQ(report().forwarded_for, ForwardedForSupport::unknown);
}

TEST_F(TargetScoutTest, AnOrdinaryWebServiceTakesTheField) {
    test::LoopbackOrigin service(loop, [](test::OriginPeer& peer) {
        if (peer.received.find("\r\n\r\n") != std::string::npos) peer.send(test::http_answer(404, "nothing here"));
    });
    use({test::make_target("radio", service.url("http"))});
    ASSERT_TRUE(prepare("radio"));
    EXPECT_EQ(report().forwarded_for, ForwardedForSupport::accepted);
    EXPECT_FALSE(report().home_assistant);
    EXPECT_EQ(report().note, "");
}

TEST_F(TargetScoutTest, TheRelayMayAskOnceAMinute) {
    test::LoopbackOrigin home(loop, test::PretendedHomeAssistant{});
    use({test::make_target("homeassistant", home.url("http"))});
    ASSERT_TRUE(prepare("homeassistant"));
    const std::size_t asked = home.peers.size();
    for (int i = 0; i < 10; ++i) scout->look_again();
    scout->begin_anew();
    scout->look_at({"homeassistant"});
    ASSERT_TRUE(prepare("homeassistant"));
    EXPECT_EQ(home.peers.size(), 2 * asked) << "only the new tunnel asks anew so soon";
}

TEST(HomeAssistantSearch, TakesTheFirstCandidateThatAnswersLikeIt) {
    Loop loop;
    Log log{LogLevel::error, LogFormat::key_value};
    Workers workers{2};
    OriginTrust trust{workers, log, std::nullopt};
    test::LoopbackOrigin other(loop, [](test::OriginPeer& peer) { peer.send(test::http_answer(200, "hi")); });
    test::LoopbackOrigin home(loop, test::PretendedHomeAssistant{});
    test::LoopbackOrigin later(loop, test::PretendedHomeAssistant{});
    test::LoopbackOrigin gone(loop, {});
    const std::string closed = gone.url("http");
    gone.stop();
    for (const bool there : {true, false}) {
        std::vector<Target> candidates{test::make_target("homeassistant", closed),
                                       test::make_target("homeassistant", other.url("http"))};
        if (there) {
            candidates.push_back(test::make_target("homeassistant", home.url("http")));
            candidates.push_back(test::make_target("homeassistant", later.url("http")));
        }
        std::optional<std::optional<Target>> result;
        HomeAssistantSearch search(loop, workers, trust, candidates, [&](auto found) { result = std::move(found); });
        ASSERT_TRUE(test::run_until(loop, [&] { return result.has_value(); }));
        ASSERT_EQ(result->has_value(), there);
        if (there) {
            EXPECT_EQ((*result)->url.port, home.port());
        }
    }
}

TEST(HomeAssistantSearch, FallsBackToHttps) {
    Loop loop;
    Log log{LogLevel::error, LogFormat::key_value};
    Workers workers{2};
    OriginTrust trust{workers, log, std::nullopt};
    test::LoopbackOrigin home(loop, test::PretendedHomeAssistant{},
                              *ServerTls::make({*make_self_signed(KeyType::p256, {"x"})}, nullptr));
    Target over_http = test::make_target("homeassistant", home.url("http"));
    Target over_https = test::make_target("homeassistant", home.url("https"));
    over_http.trust = over_https.trust = KeyTrust::unjudged;
    std::optional<std::optional<Target>> result;
    HomeAssistantSearch search(loop, workers, trust, {over_https, over_http},
                               [&](auto found) { result = std::move(found); });
    ASSERT_TRUE(test::run_until(loop, [&] { return result.has_value(); }));
    ASSERT_TRUE(result->has_value());
    EXPECT_EQ((*result)->url.scheme, "https");
}

}  // namespace
}  // namespace sallyport
