#include "store/rules.h"

#include <gtest/gtest.h>

namespace sallyport::store {
namespace {

struct Row {
    std::string_view in;
    std::string_view out;  // "" is: refused
};

void expect_rows(Result<std::string> (*check)(std::string_view), std::initializer_list<Row> rows) {
    for (const auto& [in, out] : rows) {
        const auto got = check(in);
        if (out.empty()) {
            ASSERT_FALSE(got) << in;
            EXPECT_EQ(got.error().code, Errc::invalid_argument) << in;
        } else {
            ASSERT_TRUE(got) << in << ": " << got.error().detail;
            EXPECT_EQ(*got, out);
        }
    }
}

TEST(Rules, AgentNameIsOneLabel) {
    const std::string longest(63, 'a'), too_long(64, 'a');
    expect_rows(check_agent_name, {{"home", "home"}, {"Home-2", "home-2"}, {"7", "7"}, {longest, longest}, {too_long, ""},
                                   {"", ""}, {"-a", ""}, {"a-", ""}, {"a.b", ""}, {"a b", ""}, {"h\xc3\xb6me", ""}, {"a_b", ""}});
}

TEST(Rules, HostnameIsADnsNameOrAWildcardOverOne) {
    const std::string label(63, 'a');
    const std::string longest = label + "." + label + "." + label + "." + std::string(61, 'a');
    expect_rows(check_hostname,
                {{"home.example.org", "home.example.org"}, {"Home.Example.ORG.", "home.example.org"}, {"localhost", "localhost"},
                 {"*.example.org", "*.example.org"}, {"xn--hme-sna.example", "xn--hme-sna.example"}, {"127.0.0.1", "127.0.0.1"},
                 {longest, longest}, {longest + "a", ""}, {"*", ""}, {"*.org", ""}, {"a.*.org", ""}, {"*a.example.org", ""},
                 {"", ""}, {".", ""}, {"a..b", ""}, {"a.b..", ""}, {"home.example.org:443", ""}, {"[::1]", ""}, {"h\xc3\xb6me.de", ""},
                 {"a/b", ""}, {"a_b.example.org", "a_b.example.org"}, {"-a.example.org", ""}});
}

TEST(Rules, PathPrefixIsAbsoluteAndPlain) {
    expect_rows(check_path_prefix, {{"/", "/"}, {"/a", "/a"}, {"/a/b/", "/a/b"}, {"/a%20b", "/a%20b"}, {"", ""}, {"a", ""},
                                    {"//", ""}, {"/a//b", ""}, {"/a/../b", ""}, {"/.", ""}, {"/a?b", ""}, {"/a#b", ""},
                                    {"/a b", ""}, {"/" + std::string(1024, 'a'), ""}});
}

TEST(Rules, HealthPathIsWhatARequestCanAskFor) {
    expect_rows(check_health_path, {{"/", "/"}, {"/manifest.json", "/manifest.json"}, {"/a//b/../c?x=1&y", "/a//b/../c?x=1&y"}, {"", ""},
                                    {"manifest.json", ""}, {"/a b", ""}, {"/a#b", ""}, {"/a\r\nX: y", ""}, {"/\xc3\xb6", ""},
                                    {"/" + std::string(1024, 'a'), ""}});
}

TEST(Rules, TargetIsAName) {
    expect_rows(check_target, {{"homeassistant", "homeassistant"}, {"192.168.1.2:80", "192.168.1.2:80"}, {"[::1]:80", "[::1]:80"},
                               {"", ""}, {"a b", ""}, {"a\n", ""}, {"http://a", ""}, {"!doctor", ""}, {std::string(256, 'a'), ""}});
}

TEST(Rules, TargetUrlHasSchemeHostAndPort) {
    expect_rows(check_target_url, {{"http://radio:8000", "http://radio:8000"}, {"https://192.168.1.9:443", "https://192.168.1.9:443"},
                                   {"http://[fe80::1]:80", "http://[fe80::1]:80"}, {"http://radio", ""}, {"radio:80", ""},
                                   {"ftp://radio:21", ""}, {"tcp://nas.lan:22", "tcp://nas.lan:22"}, {"http://radio:0", ""}, {"http://radio:65536", ""}, {"http://:80", ""},
                                   {"http://radio:80/x", ""}, {"http://u@radio:80", ""}, {"http://a b:80", ""}});
}

}  // namespace
}  // namespace sallyport::store
