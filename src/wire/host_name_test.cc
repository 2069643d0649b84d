#include "wire/host_name.h"

#include <gtest/gtest.h>

#include <vector>

namespace sallyport {
namespace {

TEST(HostName, TakesNamesOnly) {
    EXPECT_EQ(parse_host_name("Home.Example.ORG").value_or("!"), "home.example.org");
    for (const auto& good :
         {std::string("a"), std::string("localhost"), std::string("xn--bcher-kva.example"),
          std::string("my_home.example"), std::string("3com.com"), std::string("a.b1"), std::string(63, 'a') + ".b"})
        EXPECT_EQ(parse_host_name(good).value_or("!"), good);
    for (const auto& bad : {std::string(""),
                            std::string("."),
                            std::string("a."),
                            std::string(".a"),
                            std::string("a..b"),
                            std::string("-a"),
                            std::string("a-.b"),
                            std::string("a b"),
                            std::string("1.2.3.4"),
                            std::string("1.2"),
                            std::string("a.5"),
                            std::string("b\xc3\xbc"
                                        "cher.example"),
                            std::string("a/b"),
                            std::string("a:1"),
                            std::string("*.a"),
                            std::string("a\0b", 3),
                            std::string("a%41"),
                            std::string(64, 'a'),
                            std::string("[::1]"),
                            std::string(127, 'a').replace(60, 1, ".") + std::string(200, '.')})
        EXPECT_FALSE(parse_host_name(bad)) << bad;
    std::string longest;
    for (int i = 0; i < 126; ++i) longest += "a.";
    EXPECT_TRUE(parse_host_name(longest + "a"));
    EXPECT_FALSE(parse_host_name(longest + "aa"));
}

TEST(HostName, SplitsAuthorities) {
    struct Row {
        std::string in;
        std::string want;  // text(), "" if refused
        HostKind kind = HostKind::name;
    };
    const std::vector<Row> rows = {
        {"Home.Example", "home.example"},
        {"home:8123", "home:8123"},
        {"a:65535", "a:65535"},
        {"127.0.0.1:80", "127.0.0.1:80", HostKind::ipv4},
        {"[2001:DB8:0::1]", "[2001:db8::1]", HostKind::ipv6},
        {"[::1]:8443", "[::1]:8443", HostKind::ipv6},
        {"[::ffff:10.0.0.1]", "[::ffff:10.0.0.1]", HostKind::ipv6},
        {"", ""},
        {":80", ""},
        {"a:", ""},
        {"a:0", ""},
        {"a:65536", ""},
        {"a:080000", ""},
        {"a:+80", ""},
        {"a: 80", ""},
        {"a:80:90", ""},
        {"::1", ""},
        {"[::1", ""},
        {"[::1]x", ""},
        {"[::1]:", ""},
        {"[127.0.0.1]", ""},
        {"[fe80::1%eth0]", ""},
        {"u@a", ""},
        {"1.2.3.256", ""},
        {"127.1", ""},
        {"a/", ""},
    };
    for (const Row& row : rows) {
        const auto authority = parse_authority(row.in);
        EXPECT_EQ(authority ? authority->text() : "", row.want) << row.in;
        EXPECT_EQ(is_authority(row.in), authority.has_value()) << row.in;
        if (authority) EXPECT_EQ(authority->kind, row.kind) << row.in;
    }
}

TEST(HostName, DropsTheRootDotWhereItMayStand) {
    struct Row {
        std::string in;
        std::string want;  // "" if refused
    };
    const std::vector<Row> rows = {
        {"Home.Example.", "home.example"}, {"home.example.:8443", "home.example:8443"}, {"home.", "home"},
        {"home.example", "home.example"},  {"127.0.0.1:80", "127.0.0.1:80"},            {"[::ffff:10.0.0.1]", "[::ffff:10.0.0.1]"},
        {"home..", ""},                    {".", ""},                                   {"127.0.0.1.", ""},
    };
    for (const Row& row : rows) {
        const auto authority = parse_authority(row.in, RootDot::dropped);
        EXPECT_EQ(authority ? authority->text() : "", row.want) << row.in;
        EXPECT_EQ(is_authority(row.in), authority.has_value()) << row.in;
        EXPECT_EQ(parse_authority(row.in).has_value(), authority && !row.in.contains(".:") && !row.in.ends_with('.')) << row.in;
        std::string dropped = row.in;
        drop_root_dot(dropped);
        if (authority) EXPECT_EQ(parse_authority(dropped).value().text(), row.want) << row.in;
    }
}

TEST(HostName, KnowsLoopback) {
    for (const auto* yes : {"localhost", "a.LOCALHOST:1", "127.0.0.1", "127.9.9.9:80", "[::1]"})
        EXPECT_TRUE(parse_authority(yes)->is_loopback()) << yes;
    for (const auto* no : {"localhost.example", "128.0.0.1", "[::2]", "notlocalhost"})
        EXPECT_FALSE(parse_authority(no)->is_loopback()) << no;
}

TEST(HostName, WildcardsStandForOneLabel) {
    const auto wildcard = parse_host_pattern("*.Example.org").value();
    EXPECT_EQ(wildcard.text(), "*.example.org");
    EXPECT_TRUE(wildcard.matches("a.example.org"));
    EXPECT_FALSE(wildcard.matches("example.org"));
    EXPECT_FALSE(wildcard.matches(".example.org"));
    EXPECT_FALSE(wildcard.matches("a.b.example.org"));
    EXPECT_FALSE(wildcard.matches("a.xexample.org"));
    const auto plain = parse_host_pattern("example.org").value();
    EXPECT_TRUE(plain.matches("example.org"));
    EXPECT_FALSE(plain.matches("a.example.org"));
    for (const auto* bad : {"", "*", "*.", "*a.example", "a.*.example", "*.*.example", "*.127.0.0.1"})
        EXPECT_FALSE(parse_host_pattern(bad)) << bad;
}

}  // namespace
}  // namespace sallyport
