#include "wire/home_assistant_answers.h"

#include <gtest/gtest.h>

namespace sallyport {
namespace {

HttpAnswer answer(int status, std::string content) { return {status, std::move(content), true}; }

TEST(HomeAssistantAnswers, KnowsItsManifest) {
    EXPECT_TRUE(is_home_assistant(
        answer(200, R"({"name":"Home Assistant","short_name":"Home Assistant","start_url":"/?homescreen=1"})")));
    EXPECT_TRUE(is_home_assistant(answer(200, R"({"short_name":"Home Assistant"})")));
    for (const std::string_view other :
         {"", "Home Assistant", "[]", R"({"name":"Grafana"})", R"({"name":["Home Assistant"]})", "{\"name\":"})
        EXPECT_FALSE(is_home_assistant(answer(200, std::string(other)))) << other;
    EXPECT_FALSE(is_home_assistant(answer(404, R"({"name":"Home Assistant"})")));
    EXPECT_FALSE(is_home_assistant({200, R"({"name":"Home Assistant"})", false}));
}

TEST(HomeAssistantAnswers, FindsTrustedNetworksInOldAndNewLists) {
    EXPECT_EQ(lists_trusted_networks(answer(200, R"([{"type":"homeassistant"}])")), false);
    EXPECT_EQ(lists_trusted_networks(answer(200, R"([{"type":"homeassistant"},{"type":"trusted_networks"}])")), true);
    EXPECT_EQ(lists_trusted_networks(
                  answer(200, R"({"providers":[{"type":"trusted_networks"}],"preselect_remember_me":true})")),
              true);
    EXPECT_EQ(lists_trusted_networks(answer(200, R"({"providers":[]})")), false);
    EXPECT_EQ(lists_trusted_networks(answer(400, R"({"code":"onboarding_required"})")), false);
}

TEST(HomeAssistantAnswers, SaysThatItCantTell) {
    for (const std::string_view other : {"", "nonsense", "7", R"({"message":"x"})", R"({"providers":7})"})
        EXPECT_EQ(lists_trusted_networks(answer(200, std::string(other))), std::nullopt) << other;
    EXPECT_EQ(lists_trusted_networks(answer(403, "[]")), std::nullopt);
    EXPECT_EQ(lists_trusted_networks(answer(500, "")), std::nullopt);
}

TEST(HomeAssistantAnswers, JudgesXForwardedForByTheDifferenceItMakes) {
    EXPECT_EQ(judge_forwarded_for(200, 200), ForwardedForSupport::accepted);
    EXPECT_EQ(judge_forwarded_for(404, 404), ForwardedForSupport::accepted);
    EXPECT_EQ(judge_forwarded_for(200, 400), ForwardedForSupport::refused);
    EXPECT_EQ(judge_forwarded_for(400, 400), ForwardedForSupport::unknown);
    EXPECT_EQ(judge_forwarded_for(200, 500), ForwardedForSupport::unknown);
}

TEST(HomeAssistantAnswers, AdvisesInOneLineThatFitsAReport) {
    HomeAssistantFindings findings{true, true, ForwardedForSupport::refused, false,
                                   "2001:db8:1111:2222:3333:4444:5555:6666"};
    for (const bool trusted_networks : {false, true}) {
        findings.trusted_networks = trusted_networks;
        const std::string advice = advice_of(findings);
        EXPECT_NE(advice.find("use_x_forwarded_for: true"), std::string::npos);
        EXPECT_NE(advice.find("trusted_proxies: " + findings.local_ip), std::string::npos);
        EXPECT_LE(advice.size(), kMaxControlString);
        EXPECT_EQ(advice.find('\n'), std::string::npos);
    }
    EXPECT_TRUE(needs_forwarded_for(findings));
    findings.forwarded_for = ForwardedForSupport::accepted;
    EXPECT_FALSE(needs_forwarded_for(findings));
    EXPECT_EQ(advice_of(findings), "");
}

}  // namespace
}  // namespace sallyport
