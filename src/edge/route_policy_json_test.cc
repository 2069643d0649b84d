#include "edge/route_policy_json.h"

#include <gtest/gtest.h>

namespace sallyport {
namespace {

namespace json = boost::json;

constexpr std::string_view kHash = "$2b$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW";

std::expected<std::shared_ptr<const RoutePolicy>, PolicyFault> read(std::string_view text) {
    return read_route_policy(json::parse(text).as_object());
}

TEST(RoutePolicyJson, ReadsEveryMember) {
    const auto policy = read(R"({"preset": "home-assistant", "allow_ips": ["192.0.2.0/24", "2001:db8::1"], "deny_ips": ["192.0.2.7"],
        "allow_paths": ["/a"], "deny_paths": ["/a/b*"], "basic_auth": {"anna": ")" + std::string(kHash) + R"("}, "basic_auth_bearer": "pass",
        "basic_auth_open_paths": ["/hooks"], "max_body": "100MiB", "idle_timeout": "15m", "set_request_fields": ["X-A: 1"],
        "remove_request_fields": ["X-B"], "set_response_fields": ["X-Frame-Options: DENY"], "remove_response_fields": ["Server"],
        "maintenance": true, "maintenance_text": "Back at noon.", "maintenance_retry_after": "1h"})");
    ASSERT_TRUE(policy) << policy.error().member << policy.error().detail;
    const RoutePolicy& got = **policy;
    EXPECT_EQ(got.preset, RoutePolicy::Preset::home_assistant);
    EXPECT_EQ(got.request_timeout, std::chrono::minutes(5));
    EXPECT_EQ(got.addresses.allow.size(), 2u);
    EXPECT_EQ(got.addresses.deny.size(), 1u);
    EXPECT_EQ(got.paths.allow.size(), 1u);
    EXPECT_EQ(got.paths.deny.front().text(), "/a/b*");
    ASSERT_TRUE(got.basic_auth);
    EXPECT_EQ(got.basic_auth->users.front().name, "anna");
    EXPECT_EQ(got.basic_auth->users.front().hash, kHash);
    EXPECT_EQ(got.basic_auth->bearer, BasicAuth::Bearer::pass);
    EXPECT_EQ(got.basic_auth->open_paths.front().text(), "/hooks");
    EXPECT_EQ(got.max_body, 100_MiB);
    EXPECT_EQ(got.idle_timeout, std::chrono::minutes(15));
    ASSERT_TRUE(got.maintenance);
    EXPECT_EQ(got.maintenance->text, "Back at noon.");
    EXPECT_EQ(got.maintenance->retry_after, std::chrono::hours(1));
    FieldSection fields;
    fields.add("X-A", "0");
    fields.add("x-b", "0");
    got.request_fields.apply(fields);
    ASSERT_EQ(fields.size(), 1u);
    EXPECT_EQ(fields[0].value, "1");
}

TEST(RoutePolicyJson, IsNoPolicyWhereItChangesNothing) {
    for (const std::string_view text : {R"({})", R"({"maintenance": false, "maintenance_text": "x", "basic_auth_bearer": "pass"})", R"({"deny_ips": []})"})
        EXPECT_EQ(*read(text), nullptr) << text;
    EXPECT_EQ(load_route_policy("{}"), nullptr);
    EXPECT_EQ(load_route_policy(""), nullptr);
}

TEST(RoutePolicyJson, NamesTheMemberThatIsWrong) {
    struct Row {
        std::string_view text;
        std::string_view member;
    };
    const Row rows[] = {
        {R"({"deny_ip": []})", "deny_ip"},
        {R"({"preset": "nextcloud"})", "preset"},
        {R"({"preset": 1})", "preset"},
        {R"({"allow_ips": "192.0.2.1"})", "allow_ips"},
        {R"({"allow_ips": [1]})", "allow_ips"},
        {R"({"allow_ips": ["192.0.2.1/24"]})", "allow_ips"},
        {R"({"deny_ips": ["home"]})", "deny_ips"},
        {R"({"deny_paths": ["api"]})", "deny_paths"},
        {R"({"allow_paths": ["/a/../b"]})", "allow_paths"},
        {R"({"basic_auth": {}})", "basic_auth"},
        {R"({"basic_auth": []})", "basic_auth"},
        {R"({"basic_auth": {"anna": "secret"}})", "basic_auth"},
        {R"({"basic_auth": {"an:na": "$2b$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW"}})", "basic_auth"},
        {R"({"basic_auth": {"": "$2b$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW"}})", "basic_auth"},
        {R"({"basic_auth_bearer": true})", "basic_auth_bearer"},
        {R"({"max_body": -1})", "max_body"},
        {R"({"max_body": "100MB"})", "max_body"},
        {R"({"max_body": 1.5})", "max_body"},
        {R"({"idle_timeout": "9m59s"})", "idle_timeout"},
        {R"({"idle_timeout": "200h"})", "idle_timeout"},
        {R"({"idle_timeout": 900})", "idle_timeout"},
        {R"({"maintenance": "on"})", "maintenance"},
        {R"({"maintenance_text": "a\nb"})", "maintenance_text"},
        {R"({"maintenance_retry_after": "0s"})", "maintenance_retry_after"},
        {R"({"set_request_fields": ["no colon"]})", "set_request_fields"},
    };
    for (const Row& row : rows) {
        const auto policy = read(row.text);
        ASSERT_FALSE(policy) << row.text;
        EXPECT_EQ(policy.error().member, row.member);
        EXPECT_EQ(policy.error().detail.find("secret"), std::string::npos);
    }
}

TEST(RoutePolicyJson, LeavesToTheEdgeWhatOnlyTheEdgeMaySay) {
    for (const std::string_view name :
         {"Host", "content-length", "Transfer-Encoding", "Connection", "Keep-Alive", "TE", "Trailer", "Upgrade", "Expect", "Proxy-Authorization", "Proxy-Connection",
          "HTTP2-Settings", "Sec-WebSocket-Key", "CDN-Loop", "Sallyport-Error", "a b", "", "X-A\r\nX-B"}) {
        for (const auto direction : {FieldEdits::Direction::request, FieldEdits::Direction::response}) {
            FieldEdits edits;
            EXPECT_FALSE(edits.add_set(direction, std::string(name) + ": x")) << name;
            EXPECT_FALSE(edits.add_removal(direction, name)) << name;
        }
    }
    FieldEdits edits;
    for (const std::string_view name : {"X-Forwarded-For", "Forwarded", "X-Real-IP", "X_Real_IP", "X-Remote-User", "X-Ingress-Path", "X-Anything_Else"})
        EXPECT_FALSE(edits.add_set(FieldEdits::Direction::request, std::string(name) + ": x")) << name;
    EXPECT_FALSE(edits.add_set(FieldEdits::Direction::request, "Authorization: Basic eDp5"));
    EXPECT_TRUE(edits.add_removal(FieldEdits::Direction::request, "Authorization"));
    EXPECT_FALSE(edits.add_set(FieldEdits::Direction::request, "X-A: a\r\nX-B: b"));
    EXPECT_TRUE(edits.add_set(FieldEdits::Direction::request, "X-A:a"));
    EXPECT_FALSE(edits.add_set(FieldEdits::Direction::request, "x-a: b"));  // twice
    EXPECT_TRUE(edits.add_set(FieldEdits::Direction::response, "Set-Cookie: a=b"));
}

TEST(RoutePolicyJson, ChangesMembersOneByOne) {
    const auto change = [](std::string_view stored, std::string_view text) { return change_route_policy(stored, json::parse(text).as_object()); };
    std::string stored = *change("{}", R"({"max_body": 5, "deny_ips": ["192.0.2.1"]})");
    stored = *change(stored, R"({"max_body": null, "maintenance": true})");
    EXPECT_EQ(json::parse(stored), json::parse(R"({"deny_ips": ["192.0.2.1"], "maintenance": true})"));
    EXPECT_EQ(change(stored, R"({"max_bodies": null})").error().member, "max_bodies");
    EXPECT_EQ(change(stored, R"({"max_body": "x"})").error().member, "max_body");
    EXPECT_EQ(*change(stored, R"({"deny_ips": null, "maintenance": null})"), "{}");
    std::string many = R"({"deny_ips": [)";
    for (int i = 0; i < 1001; ++i) many += (i ? "," : "") + std::string(R"("192.0.2.1")");
    EXPECT_EQ(change("{}", many + "]}").error().member, "deny_ips");
}

TEST(RoutePolicyJson, ServesNothingByAPolicyItCantRead) {
    for (const std::string_view stored : {"x", "[]", R"({"of_a_later_release": true})", R"({"deny_ips": 1})"}) {
        const auto policy = load_route_policy(stored);
        ASSERT_TRUE(policy) << stored;
        EXPECT_TRUE(policy->unreadable) << stored;
    }
    // Changing a part of it would open what the rest had closed.
    for (const std::string_view stored : {"x", R"({"of_a_later_release": true})"})
        EXPECT_FALSE(change_route_policy(stored, json::parse(R"({"max_body": 5})").as_object())) << stored;
}

TEST(RoutePolicyJson, ShowsNoHashes) {
    const std::string stored = R"({"basic_auth": {"anna": ")" + std::string(kHash) + R"("}, "max_body": 5})";
    EXPECT_EQ(json::value(show_route_policy(stored)), json::parse(R"({"basic_auth": ["anna"], "max_body": 5})"));
}

TEST(RoutePolicyJson, HasPresets) {
    const auto restricted = *read(R"({"preset": "home-assistant-restricted", "deny_paths": ["/api/backup"]})");
    for (const std::string_view path : {"/api/hassio/addons", "/api/hassio_ingress/t/", "/api/template", "/api/stream", "/api/events/x", "/api/backup/upload"})
        EXPECT_EQ(restricted->paths.judge(path), PathRules::Verdict::denied) << path;
    for (const std::string_view path : {"/", "/api/websocket", "/auth/token", "/api/webhook/x", "/api/camera_proxy_stream/camera.door", "/frontend_latest/x.js"})
        EXPECT_EQ(restricted->paths.judge(path), PathRules::Verdict::pass) << path;
    const auto open = *read(R"({"preset": "home-assistant"})");
    EXPECT_TRUE(open->paths.empty());
    EXPECT_FALSE(open->max_body);
    EXPECT_FALSE(open->idle_timeout);
}

}  // namespace
}  // namespace sallyport
