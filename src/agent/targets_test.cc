#include "agent/targets.h"

#include "agent/agent_test_support.h"

namespace sallyport {
namespace {

TEST(TargetTable, ComparesOctetForOctet) {
    const TargetTable table({test::make_target("home", "http://127.0.0.1:8123")}, TargetTable::AnyTarget::refused);
    EXPECT_TRUE(table.find("home"));
    for (const std::string_view other :
         {"", "Home", "home.", "home:8123", "127.0.0.1:8123", "http://127.0.0.1:8123", "homeassistant", "hom"}) {
        const auto found = table.find(other);
        ASSERT_FALSE(found) << other;
        EXPECT_EQ(found.error().code, Errc::refused);
    }
    EXPECT_NE(table.find("mqtt").error().detail.find("services: mqtt: http://HOST:PORT"), std::string::npos);
}

TEST(TargetTable, TakesTheFirstEntryOfAName) {
    const TargetTable table(
        {test::make_target("a", "http://127.0.0.1:1"), test::make_target("a", "http://127.0.0.1:2")},
        TargetTable::AnyTarget::refused);
    EXPECT_EQ(table.entries().size(), 1u);
    EXPECT_EQ(table.find("a")->url.port, 1);
}

TEST(TargetTable, AnyTargetIsHostAndPort) {
    const TargetTable table({built_in_target()}, TargetTable::AnyTarget::allowed);
    EXPECT_EQ(table.find("nas.lan:22")->url.text(), "tcp://nas.lan:22");
    EXPECT_EQ(table.find("[::1]:80")->url.host, "::1");
    EXPECT_EQ(table.find("https://nas.lan:443")->url.scheme, "https");
    for (const std::string_view bad : {"nas.lan", "", "nas.lan:0", "ftp://x:1", "a b:1", "tcp://x"})
        EXPECT_FALSE(table.find(bad)) << bad;
    EXPECT_FALSE(table.find("homeassistant")->is_located());
}

TEST(TargetTable, HomeAssistantIsLookedForAtTheUsualPlaces) {
    const auto candidates = home_assistant_candidates();
    ASSERT_EQ(candidates.size(), 20u);
    EXPECT_EQ(candidates.front().url.text(), "http://homeassistant:8123");
    EXPECT_EQ(candidates[4].url.text(), "http://172.30.32.1:8123");
    EXPECT_EQ(candidates[5].url.port, 80);
    EXPECT_EQ(candidates.back().url.text(), "https://172.30.32.1:80");
}

}  // namespace
}  // namespace sallyport
