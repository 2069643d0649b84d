#include "wire/remote_forward.h"

#include <gtest/gtest.h>

namespace sallyport {
namespace {

TEST(RemoteForward, ReadsWhatSshWrites) {
    struct Row {
        std::string_view text;
        RemoteForward forward;
        std::string_view listen, destination, option;
    };
    const Row rows[] = {
        {"127.0.0.1:8123:homeassistant:8123", {"127.0.0.1", 8123, "homeassistant", 8123}, "127.0.0.1:8123", "homeassistant:8123", "permitlisten=\"127.0.0.1:8123\""},
        {"8123:localhost:80", {"localhost", 8123, "localhost", 80}, "localhost:8123", "localhost:80", "permitlisten=\"localhost:8123\""},
        {"*:8123:10.0.0.1:80", {"", 8123, "10.0.0.1", 80}, "*:8123", "10.0.0.1:80", "permitlisten=\"*:8123\""},
        {":8123:10.0.0.1:80", {"", 8123, "10.0.0.1", 80}, "*:8123", "10.0.0.1:80", "permitlisten=\"*:8123\""},
        {"[::1]:0:[fe80::1]:22", {"::1", 0, "fe80::1", 22}, "[::1]:0", "[fe80::1]:22", "permitlisten=\"[::1]:*\""},
        {"home.example.org:80:localhost:8123", {"home.example.org", 80, "localhost", 8123}, "home.example.org:80", "localhost:8123",
         "permitlisten=\"home.example.org:80\""},
        {"0:localhost:1", {"localhost", 0, "localhost", 1}, "localhost:0", "localhost:1", "permitlisten=\"localhost:*\""},
    };
    for (const Row& row : rows) {
        const auto forward = parse_remote_forward(row.text);
        ASSERT_TRUE(forward) << row.text << ": " << forward.error().detail;
        EXPECT_EQ(*forward, row.forward) << row.text;
        EXPECT_EQ(forward->listen_text(), row.listen);
        EXPECT_EQ(forward->destination(), row.destination);
        EXPECT_EQ(permit_listen_option(*forward), row.option);
    }
}

TEST(RemoteForward, RefusesTheRest) {
    for (const std::string_view text : {"", "8123", "127.0.0.1:8123", "1:2:3:4:5", "x:y:z", "70000:localhost:80", "80:localhost:0", "80:localhost:",
                                        "[::1:80:localhost:80", "a b:80:localhost:80", "80:/tmp/socket", "::1:80:localhost:80", "80:local\nhost:80"})
        EXPECT_FALSE(parse_remote_forward(text)) << text;
}

TEST(RemoteForward, KnowsWhatOnlyTheServerItselfReaches) {
    for (const std::string_view text : {"127.0.0.1:1:a:1", "1:a:1", "localhost:1:a:1", "[::1]:1:a:1"}) EXPECT_TRUE(parse_remote_forward(text)->binds_loopback()) << text;
    for (const std::string_view text : {"*:1:a:1", "0.0.0.0:1:a:1", "[::]:1:a:1", "192.0.2.1:1:a:1"}) EXPECT_FALSE(parse_remote_forward(text)->binds_loopback()) << text;
}

}  // namespace
}  // namespace sallyport
