#include "wire/ssh_pattern.h"

#include <gtest/gtest.h>

namespace sallyport {
namespace {

TEST(SshPattern, StarsAndQuestionMarks) {
    struct Row {
        std::string_view text, pattern;
        bool matches;
    };
    constexpr Row kTable[] = {
        {"home.example", "home.example", true}, {"HOME.example", "home.EXAMPLE", true}, {"home.example", "*", true},
        {"home.example", "*.example", true},    {"home.example", "h?me.*", true},       {"home.example", "*e*e", true},
        {"home.example", "?", false},           {"home.example", "*.org", false},       {"home.example", "home.example?", false},
        {"", "*", true},                        {"", "", true},                         {"", "?", false},
        {"a", "", false},                       {"aXbXc", "a*X*c", true},               {"aaaaaaaaaaaaaaaaaaaaaaaab", "*a*a*a*a*a*a*c", false},
    };
    for (const Row& row : kTable) EXPECT_EQ(matches_ssh_pattern(row.text, row.pattern), row.matches) << row.text << " " << row.pattern;
}

TEST(SshPattern, OneRefusalInAListRefuses) {
    EXPECT_EQ(match_ssh_patterns("a.example", "b,*.example"), PatternMatch::matched);
    EXPECT_EQ(match_ssh_patterns("a.example", "*.example,!a.*"), PatternMatch::refused);
    EXPECT_EQ(match_ssh_patterns("a.example", "!a.*,*.example"), PatternMatch::refused);
    EXPECT_EQ(match_ssh_patterns("a.example", "!b.*"), PatternMatch::none);
    EXPECT_EQ(match_ssh_patterns("a.example", ",,"), PatternMatch::none);
}

TEST(SshPattern, FromTakesNetworksAndAddresses) {
    const auto from = [](std::string_view address, std::string_view list) { return matches_ssh_from(*parse_ip_address(address), list); };
    EXPECT_TRUE(from("192.0.2.7", "192.0.2.0/24"));
    EXPECT_TRUE(from("192.0.2.7", "10.0.0.0/8,192.0.2.*"));
    EXPECT_TRUE(from("::ffff:192.0.2.7", "192.0.2.7"));
    EXPECT_FALSE(from("192.0.2.7", "192.0.2.0/24,!192.0.2.7"));
    EXPECT_FALSE(from("192.0.2.7", "home.example.org"));
    EXPECT_FALSE(from("192.0.2.7", "192.0.2.1/24"));  // it isn't clear what is meant, so nobody is let in by it
    EXPECT_TRUE(from("2001:db8::1", "2001:db8::/32"));
    EXPECT_TRUE(from("2001:db8::1", "2001:DB8::*"));
    EXPECT_FALSE(from("2001:db8::1", ""));
}

}  // namespace
}  // namespace sallyport
