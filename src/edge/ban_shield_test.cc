#include "edge/ban_shield.h"

#include <gtest/gtest.h>

namespace sallyport {
namespace {

using namespace std::chrono_literals;
using enum BanShield::Judgement::Verdict;

const TimePoint kStart = TimePoint() + 1000h;

BanShield::Who at(std::string_view ip, std::string_view home = "a1", bool foreign = false) {
    return {.ip = ip, .home = home, .home_name = "home", .foreign = foreign};
}

class BanShieldTest : public ::testing::Test {
protected:
    std::optional<BanShield::Banned> fail(const BanShield::Who& who, int times, TimePoint now, BanKind kind = BanKind::login) {
        std::optional<BanShield::Banned> banned;
        for (int i = 0; i < times; ++i) banned = shield.fail(who, kind, now);
        return banned;
    }
    BanShield::Judgement::Verdict login(const BanShield::Who& who, TimePoint now) { return shield.judge(who, BanShield::Ask::login, now).verdict; }
    BanShield::Judgement::Verdict websocket(const BanShield::Who& who, TimePoint now) { return shield.judge(who, BanShield::Ask::websocket, now).verdict; }

    BanShield shield{BanBounds{.after = 4, .time = 60s, .longest = 1h}};
};

TEST_F(BanShieldTest, SlowsThenRefuses) {
    struct Row {
        int failures;
        BanShield::Judgement::Verdict verdict;
        Duration after;
    };
    const Row rows[] = {{0, pass, {}}, {1, pass, {}}, {2, pass, {}}, {3, wait, 250ms}, {4, refuse, 60s}};
    for (const Row& row : rows) {
        const std::string ip = "192.0.2." + std::to_string(row.failures);
        fail(at(ip), row.failures, kStart);
        const auto judgement = shield.judge(at(ip), BanShield::Ask::login, kStart);
        EXPECT_EQ(judgement.verdict, row.verdict) << row.failures;
        EXPECT_EQ(judgement.after, row.after) << row.failures;
        EXPECT_EQ(websocket(at(ip), kStart), row.verdict) << row.failures;
    }
}

TEST_F(BanShieldTest, CountsByHouseholdHomeAndOriginOfTheRequest) {
    struct Row {
        std::string_view ip;
        std::string_view home;
        bool foreign;
        BanShield::Judgement::Verdict verdict;
    };
    fail(at("192.0.2.1"), 4, kStart);
    fail(at("2001:db8:0:1::5"), 4, kStart);
    const Row rows[] = {
        {"192.0.2.1", "a1", false, refuse},        {"::ffff:192.0.2.1", "a1", false, refuse}, {"192.0.2.2", "a1", false, pass},
        {"192.0.2.1", "a2", false, pass},          {"192.0.2.1", "a1", true, pass},           {"2001:db8:0:1:ffff::1", "a1", false, refuse},
        {"2001:db8:0:2::5", "a1", false, pass},    {"nonsense", "a1", false, pass},
    };
    for (const Row& row : rows) EXPECT_EQ(login(at(row.ip, row.home, row.foreign), kStart), row.verdict) << row.ip << row.home << row.foreign;
}

TEST_F(BanShieldTest, ABanIsToldOnceAndGrows) {
    TimePoint now = kStart;
    for (const auto expected : {60s, 120s, 240s, 480s, 960s, 1920s, 3600s, 3600s}) {
        std::optional<BanShield::Banned> banned;
        int failures = 0;
        while (!banned) {
            banned = shield.fail(at("192.0.2.1"), BanKind::password, now);
            ASSERT_LE(++failures, 4);
        }
        EXPECT_EQ(banned->for_s, expected);
        EXPECT_EQ(banned->address, "192.0.2.1");
        EXPECT_EQ(banned->home_name, "home");
        EXPECT_FALSE(shield.fail(at("192.0.2.1"), BanKind::password, now)) << "was under way";
        EXPECT_EQ(shield.bans(now), 1u);
        EXPECT_EQ(login(at("192.0.2.1"), now + expected - 1ms), refuse);
        now += expected;
        EXPECT_NE(login(at("192.0.2.1"), now), refuse);
        const auto ended = shield.take_ended(now);
        ASSERT_EQ(ended.size(), 1u);
        EXPECT_EQ(ended.front().address, "192.0.2.1");
        EXPECT_TRUE(shield.take_ended(now).empty());
    }
}

TEST_F(BanShieldTest, ForgetsWithTime) {
    fail(at("192.0.2.1"), 3, kStart);
    fail(at("192.0.2.1"), 1, kStart + 2 * BanShield::kForget);
    EXPECT_EQ(login(at("192.0.2.1"), kStart + 2 * BanShield::kForget), pass);

    fail(at("192.0.2.2"), 4, kStart);
    const auto again = fail(at("192.0.2.2"), 4, kStart + 2h);
    ASSERT_TRUE(again);
    EXPECT_EQ(again->for_s, 60s) << "as if there had never been one";

    shield.take_ended(kStart + 100h);
    EXPECT_EQ(shield.entries(), 0u);
}

TEST_F(BanShieldTest, ASuccessForgets) {
    fail(at("192.0.2.1"), 3, kStart);
    shield.succeed(at("192.0.2.1"));
    EXPECT_FALSE(fail(at("192.0.2.1"), 3, kStart));
    shield.succeed(at("192.0.2.1", "a2"));
    EXPECT_TRUE(fail(at("192.0.2.1"), 1, kStart)) << "at another home";
}

TEST_F(BanShieldTest, AWebSocketThatLastsProvesNoLogin) {
    fail(at("192.0.2.1"), 2, kStart);
    fail(at("192.0.2.1"), 1, kStart, BanKind::websocket);
    shield.succeed_websocket(at("192.0.2.1"));
    EXPECT_FALSE(fail(at("192.0.2.1"), 1, kStart));
    EXPECT_TRUE(fail(at("192.0.2.1"), 1, kStart));
    EXPECT_EQ(shield.failures(BanKind::websocket), 1u);
    EXPECT_EQ(shield.failures(BanKind::login), 4u);
}

TEST_F(BanShieldTest, AHundredGuessesAtOnceAreNoWayAroundTheCount) {
    std::vector<BanShield::Attempt> under_way;
    for (int i = 0; i < 100; ++i)
        if (auto judgement = shield.judge(at("192.0.2.1"), BanShield::Ask::login, kStart); judgement.verdict == pass)
            under_way.push_back(std::move(judgement.attempt));
    EXPECT_EQ(under_way.size(), 4u);
    EXPECT_EQ(login(at("192.0.2.1"), kStart), wait);
    EXPECT_EQ(websocket(at("192.0.2.1"), kStart), pass);
    under_way.clear();
    EXPECT_EQ(shield.entries(), 0u);
    EXPECT_EQ(login(at("192.0.2.1"), kStart), pass);
}

TEST_F(BanShieldTest, SlowedLoginsPassOneByOne) {
    fail(at("192.0.2.1"), 3, kStart);
    const TimePoint later = kStart + 250ms;
    EXPECT_EQ(login(at("192.0.2.1"), later), pass);
    EXPECT_EQ(login(at("192.0.2.1"), later), wait);
    EXPECT_EQ(login(at("192.0.2.1"), later + 250ms), pass);
}

TEST_F(BanShieldTest, UnknownHostsCountForEveryHomeOnceForEachName) {
    for (int i = 0; i < 10; ++i) EXPECT_FALSE(shield.fail_host(at("192.0.2.1", ""), "gone.example", kStart));
    EXPECT_FALSE(shield.fail_host(at("192.0.2.1", ""), "b.example", kStart));
    EXPECT_FALSE(shield.fail_host(at("192.0.2.1", ""), "c.example", kStart));
    const auto banned = shield.fail_host(at("192.0.2.1", ""), "d.example", kStart);
    ASSERT_TRUE(banned);
    EXPECT_EQ(banned->home_name, "");
    EXPECT_EQ(login(at("192.0.2.1", "a1"), kStart), refuse);
    EXPECT_EQ(websocket(at("192.0.2.1", "a2"), kStart), refuse);
    EXPECT_EQ(login(at("192.0.2.1", "a1", true), kStart), pass);
}

TEST_F(BanShieldTest, LiftsWhatIsListed) {
    fail(at("192.0.2.1"), 4, kStart);
    fail(at("192.0.2.1", "a2", true), 4, kStart, BanKind::websocket);
    fail(at("2001:db8::1"), 4, kStart);
    const auto bans = shield.list(kStart + 1s);
    ASSERT_EQ(bans.size(), 3u);
    EXPECT_EQ(bans[0].address, "192.0.2.1");
    EXPECT_EQ(bans[0].left, 59s);
    EXPECT_TRUE(bans[1].foreign);
    EXPECT_EQ(bans[1].kind, BanKind::websocket);
    EXPECT_EQ(bans[2].address, "2001:db8::/64");
    EXPECT_EQ(shield.lift(*parse_ip_address("192.0.2.9"), kStart), 0u);
    EXPECT_EQ(shield.lift(*parse_ip_address("192.0.2.1"), kStart), 2u);
    EXPECT_EQ(shield.lift(*parse_ip_address("2001:db8::ffff"), kStart), 1u);
    EXPECT_EQ(shield.entries(), 0u);
    EXPECT_EQ(login(at("192.0.2.1"), kStart), pass);
}

TEST_F(BanShieldTest, SparesWhomItIsTold) {
    shield.set_bounds({.after = 1, .exempt = {*IpNetwork::parse("127.0.0.0/8")}});
    EXPECT_FALSE(fail(at("127.0.0.1"), 100, kStart));
    EXPECT_TRUE(fail(at("192.0.2.1"), 1, kStart));
    shield.set_bounds({.on = false});
    EXPECT_EQ(login(at("192.0.2.1"), kStart), pass);
    EXPECT_EQ(shield.entries(), 0u);
}

TEST_F(BanShieldTest, IsBoundedAndKeepsTheGuilty) {
    fail(at("192.0.2.1"), 4, kStart);
    for (unsigned i = 0; i < 200'000; ++i) {
        const std::string ip = "2001:db8:" + std::to_string(i % 9000) + ":" + std::to_string(i / 9000) + "::1";
        (void)shield.fail(at(ip), BanKind::login, kStart + 1s);
    }
    EXPECT_LE(shield.entries(), BanShield::kMostEntries);
    EXPECT_EQ(login(at("192.0.2.1"), kStart + 1s), refuse);
}

TEST(BanShieldForeign, IsWhatABrowserMakesForAnotherSite) {
    struct Row {
        std::string_view site, origin, authority;
        bool foreign;
    };
    const Row rows[] = {
        {"", "", "home.example", false},
        {"same-origin", "https://home.example", "home.example", false},
        {"none", "", "home.example", false},
        {"same-site", "https://evil.example", "home.example", true},
        {"cross-site", "null", "home.example", true},
        {"", "https://HOME.example:8443", "home.example:8443", false},
        {"", "https://evil.example", "home.example", true},
        {"", "null", "home.example", true},
    };
    for (const Row& row : rows) EXPECT_EQ(BanShield::is_foreign(row.site, row.origin, row.authority), row.foreign) << row.site << row.origin;
}

}  // namespace
}  // namespace sallyport
