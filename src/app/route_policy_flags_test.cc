#include "app/route_policy_flags.h"

#include <CLI/CLI.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace sallyport::app {
namespace {

namespace json = boost::json;

json::object policy_of(std::vector<std::string> words) {
    CLI::App command;
    RoutePolicyFlags flags(command);
    std::ranges::reverse(words);
    command.parse(words);
    json::object body;
    const auto put = flags.put_into(body);
    EXPECT_TRUE(put) << put.error().detail;
    return body;
}

TEST(RoutePolicyFlags, PutsInWhatWasGivenAndNothingElse) {
    EXPECT_EQ(policy_of({}), json::object{});
    const json::object body = policy_of({"--deny-ip", "192.0.2.1", "--deny-ip", "2001:db8::/32", "--allow-path", "none", "--max-body", "off", "--idle-timeout", "30m",
                                         "--maintenance", "on", "--set-request-field", "X-A: b, c", "--preset", "none", "--no-basic-auth", "--maintenance-text", "Back soon"});
    EXPECT_EQ(json::value(body), json::parse(R"({"policy": {"preset": null, "allow_paths": null, "deny_ips": ["192.0.2.1", "2001:db8::/32"], "basic_auth": null,
        "max_body": null, "idle_timeout": "30m", "set_request_fields": ["X-A: b, c"], "maintenance": true, "maintenance_text": "Back soon"}})"));
}

TEST(RoutePolicyFlags, ReadsUsersAsHtpasswdWritesThem) {
    const auto users = parse_users("# people\n\nanna:$2y$05$abc\r\nbert:x:y \n");
    ASSERT_TRUE(users) << users.error().detail;
    EXPECT_EQ(json::value(*users), json::parse(R"({"anna": "$2y$05$abc", "bert": "x:y"})"));
    for (const std::string_view wrong : {"", "# nobody\n", "anna", ":hash", "anna:a\nanna:b"}) EXPECT_FALSE(parse_users(wrong)) << wrong;
}

TEST(RoutePolicyFlags, ShowsAPolicyInAFewWords) {
    const auto policy = json::parse(R"({"preset": "home-assistant", "basic_auth": ["anna", "bert"], "deny_paths": ["/a", "/b", "/c", "/d"], "maintenance": true, "max_body": 5})").as_object();
    EXPECT_THAT(words_of_policy(policy), testing::ElementsAre("preset=home-assistant", "basic-auth=2", "deny-path=/a,/b,/c,…(4)", "maintenance=on", "max-body=5"));
}

}  // namespace
}  // namespace sallyport::app
