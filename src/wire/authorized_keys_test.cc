#include "wire/authorized_keys.h"

#include <gtest/gtest.h>

namespace sallyport {
namespace {

const std::string kKey = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIMgMPKg6VcGO0Fd8zP7lZ1FprZHMWnodl+TgUPxmtWh/";

AuthorizedKeyOptions options(const std::string& text) {
    const auto key = parse_authorized_key(text + " " + kKey + " anna@home");
    EXPECT_TRUE(key) << text << ": " << (key ? "" : key.error().detail);
    return key ? key->options : AuthorizedKeyOptions{};
}

std::string refusal(const std::string& line) {
    const auto key = parse_authorized_key(line);
    return key ? "taken" : key.error().detail;
}

TEST(AuthorizedKeys, ABareKeyMayEverything) {
    const auto key = parse_authorized_key(kKey + " anna@home\n");
    ASSERT_TRUE(key);
    EXPECT_EQ(key->options, AuthorizedKeyOptions{});
    EXPECT_EQ(key->key.comment, "anna@home");
    EXPECT_TRUE(key->options.may_listen("127.0.0.1", 8123));
    EXPECT_TRUE(key->options.may_open("db.lan", 5432));
    EXPECT_TRUE(key->options.lets_in_from(*parse_ip_address("192.0.2.1")));
    EXPECT_FALSE(key->options.expired(wall_now()));
}

TEST(AuthorizedKeys, SwitchesHoldInTheirOrder) {
    EXPECT_FALSE(options("restrict").port_forwarding);
    EXPECT_FALSE(options("restrict").pty);
    EXPECT_FALSE(options("restrict").agent_forwarding);
    EXPECT_FALSE(options("restrict").x11_forwarding);
    EXPECT_TRUE(options("restrict,port-forwarding").port_forwarding);
    EXPECT_FALSE(options("port-forwarding,restrict").port_forwarding);
    EXPECT_TRUE(options("RESTRICT,PTY").pty);
    EXPECT_FALSE(options("no-pty,no-user-rc,no-X11-forwarding,no-agent-forwarding").pty);
    EXPECT_TRUE(options("cert-authority,principals=\"a,b\"").cert_authority);
    EXPECT_TRUE(options("verify-required,no-touch-required").verify_required);
    EXPECT_EQ(options("environment=\"A=b c\",tunnel=\"0\""), AuthorizedKeyOptions{});
}

TEST(AuthorizedKeys, ValuesAreQuoted) {
    EXPECT_EQ(options(R"(command="echo \"a b\", c",no-pty)").command, R"(echo "a b", c)");
    EXPECT_EQ(options(R"(command="a\b")").command, R"(a\b)");
    EXPECT_TRUE(options("from=\"192.0.2.0/24,10.*,!192.0.2.9\"").lets_in_from(*parse_ip_address("192.0.2.1")));
    EXPECT_FALSE(options("from=\"192.0.2.0/24,!192.0.2.9\"").lets_in_from(*parse_ip_address("192.0.2.9")));
    EXPECT_FALSE(options("from=\"192.0.2.0/24\"").lets_in_from(*parse_ip_address("2001:db8::1")));
    EXPECT_FALSE(options("from=\"\"").lets_in_from(*parse_ip_address("192.0.2.1")));
}

TEST(AuthorizedKeys, PermitsNameHostsAndPorts) {
    const auto listen = options(R"(restrict,port-forwarding,permitlisten="127.0.0.1:8123",permitlisten="*.example.org:*",permitlisten="80")");
    EXPECT_TRUE(listen.may_listen("127.0.0.1", 8123));
    EXPECT_FALSE(listen.may_listen("127.0.0.1", 8124));
    EXPECT_FALSE(listen.may_listen("localhost", 8123));
    EXPECT_TRUE(listen.may_listen("Home.example.org", 1));
    EXPECT_TRUE(listen.may_listen("anything", 80));
    EXPECT_FALSE(options(R"(restrict,permitlisten="127.0.0.1:8123")").may_listen("127.0.0.1", 8123));
    const auto open = options(R"(permitopen="db.lan:5432",permitopen="[2001:db8::1]:22",permitopen="x:*")");
    EXPECT_TRUE(open.may_open("db.lan", 5432));
    EXPECT_TRUE(open.may_open("2001:db8::1", 22));
    EXPECT_TRUE(open.may_open("x", 9));
    EXPECT_FALSE(open.may_open("db.lan", 22));
    EXPECT_TRUE(open.may_listen("127.0.0.1", 8123));
    EXPECT_TRUE(options(R"(permitopen="*:22")").may_open("any.lan", 22));
}

TEST(AuthorizedKeys, TimesEnd) {
    const auto at = [](long long seconds) { return WallTime{std::chrono::seconds(seconds)}; };
    EXPECT_EQ(options("expiry-time=\"20300102Z\"").expires, at(1893542400));
    EXPECT_EQ(options("expiry-time=\"203001020304Z\"").expires, at(1893553440));
    EXPECT_EQ(options("expiry-time=\"20300102030405Z\"").expires, at(1893553445));
    EXPECT_EQ(options("expiry-time=\"20310102Z\",expiry-time=\"20300102Z\"").expires, at(1893542400));
    EXPECT_TRUE(options("expiry-time=\"20300102Z\"").expired(at(1893542400)));
    EXPECT_FALSE(options("expiry-time=\"20300102Z\"").expired(at(1893542399)));
    EXPECT_TRUE(options("expiry-time=\"20300102\"").expires);
}

TEST(AuthorizedKeys, WhatIsNotUnderstoodIsNotUsed) {
    const std::pair<std::string, std::string_view> table[] = {
        {"no-such-thing " + kKey, "not known"},
        {"from=\"a\",from=\"b\" " + kKey, "twice"},
        {"from=a " + kKey, "quotes"},
        {"from=\"a " + kKey, "quotes"},
        {"from=\"a\"", "one line like"},
        {"restrict,, " + kKey, "malformed"},
        {"restrict, " + kKey, "malformed"},
        {"restrict=\"x\" " + kKey, "not known"},
        {"from " + kKey, "not known"},
        {"permitlisten=\"a b:1\" " + kKey, "malformed"},
        {"permitlisten=\"h:0\" " + kKey, "malformed"},
        {"permitlisten=\"h:70000\" " + kKey, "malformed"},
        {"permitopen=\"22\" " + kKey, "malformed"},
        {"permitopen=\"::1:22\" " + kKey, "malformed"},
        {"expiry-time=\"tomorrow\" " + kKey, "no time"},
        {"expiry-time=\"20301302\" " + kKey, "no time"},
        {"restrict\tssh-ed25519 AAAA", "no SSH public key"},
        {"ssh-ed25519 !!!", "damaged"},
        {"", "one line like"},
        {kKey + "\n" + kKey, "more than one line"},
        {std::string(kMaxAuthorizedKeysLine + 1, 'x'), "too long"},
    };
    for (const auto& [line, expected] : table) EXPECT_TRUE(refusal(line).contains(expected)) << line << ": " << refusal(line);
}

TEST(AuthorizedKeys, ReadsAFileAndNamesLinesThatAreNotUsable) {
    const auto file = parse_authorized_keys("# comment\n\n  " + kKey + " one\r\nbad line\ncert-authority " + kKey + "\nrestrict " + kKey + " two");
    ASSERT_TRUE(file);
    ASSERT_EQ(file->keys.size(), 3u);
    EXPECT_EQ(file->keys[0].line, 3u);
    EXPECT_EQ(file->keys[2].line, 6u);
    EXPECT_EQ(file->keys[2].key.comment, "two");
    ASSERT_EQ(file->unusable.size(), 1u);
    EXPECT_EQ(file->unusable[0].line, 4u);
    EXPECT_EQ(file->find(file->keys[0].key), &file->keys[0]);
    EXPECT_EQ(file->find(SshPublicKey{"ssh-ed25519", "other", ""}), nullptr);
    EXPECT_EQ(parse_authorized_keys(std::string(kMaxAuthorizedKeysFile + 1, '\n')).error().code, Errc::too_large);
}

}  // namespace
}  // namespace sallyport
