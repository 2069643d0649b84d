#include "wire/url.h"

#include <gtest/gtest.h>

#include <vector>

#include "wire/listen_address.h"

namespace sallyport {
namespace {

TEST(Url, ReadsTargets) {
    struct Row {
        const char* in;
        std::string want;  // text() with its port, or the error
    };
    const std::vector<Row> rows = {
        {"http://homeassistant:8123", "http://homeassistant:8123"},
        {"HTTP://Home:80/", "http://home"},
        {"https://[::1]:8443", "https://[::1]:8443"},
        {"tcp://127.0.0.1:1883", "tcp://127.0.0.1:1883"},
        {"tcp://mqtt", "\"tcp://mqtt\": a port is needed"},
        {"homeassistant:8123", "\"homeassistant:8123\": must begin with http://, https:// or tcp://"},
        {"ftp://a", "\"ftp://a\": must begin with http://, https:// or tcp://"},
        {"http://a/path", "\"http://a/path\": a target is scheme://host:port without a path"},
        {"http://u:p@a", "\"http://u:p@a\": a user name or password has no place here"},
        {"http://a?x", "\"http://a?x\": a query or fragment has no place here"},
        {"http://", "\"http://\": \"\" is no host or host:port (IPv6 addresses stand in brackets)"},
    };
    for (const Row& row : rows) {
        const auto url = parse_target_url(row.in);
        EXPECT_EQ(url ? url->text() : url.error().detail, row.want);
    }
}

TEST(Url, ReadsRelays) {
    EXPECT_EQ(parse_relay_url("wss://relay.example.org")->text(), "wss://relay.example.org");
    EXPECT_EQ(parse_relay_url("https://relay.example.org:8443/")->text(), "wss://relay.example.org:8443/");
    EXPECT_EQ(parse_relay_url("wss://relay.example.org/a/b")->path, "/a/b");
    EXPECT_EQ(parse_relay_url("ws://127.0.0.1:8080")->port, 8080);
    EXPECT_TRUE(parse_relay_url("ws://localhost"));
    EXPECT_EQ(parse_relay_url("ws://relay.example.org").error().detail,
              "\"ws://relay.example.org\": ws:// is allowed to loopback (this machine) only: write wss://");
    EXPECT_FALSE(parse_relay_url("http://relay.example.org"));
    EXPECT_FALSE(parse_relay_url("wss://relay.example.org/a b"));
    EXPECT_FALSE(parse_relay_url("wss://relay.example.org/\r\nX: y"));
}

TEST(Url, ReadsPublicUrls) {
    EXPECT_EQ(parse_public_url("https://Relay.Example.org/")->text(), "https://relay.example.org");
    EXPECT_EQ(parse_public_url("https://relay.example.org:8443")->authority(), "relay.example.org:8443");
    EXPECT_FALSE(parse_public_url("https://relay.example.org/x"));
    EXPECT_FALSE(parse_public_url("wss://relay.example.org"));
    EXPECT_FALSE(parse_public_url("https://" + std::string(3000, 'a')));
}

TEST(ListenAddress, Reads) {
    struct Row {
        const char* in;
        std::string want;  // text(), or the error's beginning
    };
    const std::vector<Row> rows = {
        {":8443", ":8443"},
        {"*:8443", ":8443"},
        {"127.0.0.1:0", "127.0.0.1:0"},
        {"[::1]:80", "[::1]:80"},
        {"[::]:443", "[::]:443"},
        {"localhost:80", "127.0.0.1:80"},
        {"8443", "\"8443\" is no listen address: write :8443 or 127.0.0.1:8443"},
        {"", "\"\" is no listen address: write :8443 or 127.0.0.1:8443"},
        {":", "\":\" is no listen address: the port must be 0 to 65535"},
        {":65536", "\":65536\" is no listen address: the port must be 0 to 65535"},
        {":80x", "\":80x\" is no listen address: the port must be 0 to 65535"},
        {"::1:80", "\"::1:80\" is no listen address: IPv6 addresses stand in brackets: [::1]:8443"},
        {"home.example:80",
         "\"home.example:80\" is no listen address: an IP address of this machine is needed, not a name"},
        {"1.2.3.4.5:80", "\"1.2.3.4.5:80\" is no listen address: not an IP address"},
    };
    for (const Row& row : rows) {
        const auto address = parse_listen_address(row.in);
        EXPECT_EQ(address ? address->text() : address.error().detail, row.want);
    }
    EXPECT_TRUE(parse_listen_address("[::1]:80")->is_loopback());
    EXPECT_FALSE(parse_listen_address(":80")->is_loopback());
}

}  // namespace
}  // namespace sallyport
