#include "edge/login_answers.h"

#include <gtest/gtest.h>

namespace sallyport {
namespace {

TEST(LoginPath, IsFoundInAnySpelling) {
    struct Row {
        std::string_view method, path;
        LoginPath expected;
    };
    const Row rows[] = {
        {"POST", "/auth/token", LoginPath::token},
        {"POST", "/auth/%74oken", LoginPath::token},
        {"POST", "/auth/login_flow", LoginPath::password},
        {"POST", "/auth/login_flow/0123", LoginPath::password},
        {"POST", "/auth/login%5fflow/0123", LoginPath::password},
        {"POST", "/auth/./token", LoginPath::password},
        {"POST", "//auth/token", LoginPath::password},
        {"GET", "/auth/login_flow/0123", LoginPath::none},
        {"POST", "/api/webhook/1", LoginPath::none},
        {"POST", "/auth/revoke", LoginPath::none},
    };
    for (const Row& row : rows) EXPECT_EQ(login_path(row.method, row.path), row.expected) << row.path;
}

TEST(LoginPath, OfAWebSocket) {
    for (const std::string_view path : {"/api/websocket", "/api/web%73ocket", "/api//websocket"}) EXPECT_TRUE(is_login_websocket(path)) << path;
    for (const std::string_view path : {"/", "/api/hassio_ingress/token/ws"}) EXPECT_FALSE(is_login_websocket(path)) << path;
}

TEST(LoginAnswer, JudgesByStatusAndJson) {
    struct Row {
        int status;
        std::string_view type, content;
        LoginVerdict expected;
    };
    using enum LoginVerdict;
    const Row rows[] = {
        {400, "application/json", R"({"error":"invalid_request"})", failed},
        {400, "text/plain; charset=utf-8", "400: Bad Request", open},
        {401, "text/plain", "", failed},
        {403, "application/json; charset=utf-8", "{}", failed},
        {404, "application/json", R"({"message":"Invalid flow specified"})", open},
        {502, "text/html", "", open},
        {200, "application/json", R"({"type": "form", "errors": {"base": "invalid_auth"}})", failed},
        {200, "application/json", R"({"type":"form","data_schema":[],"errors":{}})", open},
        {200, "application/json", R"({"type":"form","step_id":"mfa","errors":null})", open},
        {200, "application/json", R"({"type":"abort","reason":"too_many_retry"})", failed},
        {200, "application/json", "{\"type\" :\t\"create_entry\",\n\"result\":\"c0de\"}", succeeded},
        {200, "application/json", R"({"access_token":"ey","token_type":"Bearer"})", succeeded},
        {200, "application/json", R"({"title":"\"type\":\"create_entry\""})", open},
        {200, "text/html", R"({"type":"create_entry"})", open},
        {200, "", "", open},  // a token was revoked
    };
    for (const Row& row : rows) {
        for (const std::size_t piece : {1u, 7u, 4096u}) {
            ResponseHead head;
            head.status = row.status;
            if (!row.type.empty()) head.fields.add("Content-Type", row.type);
            LoginAnswer answer;
            answer.begin(head);
            for (std::size_t at = 0; at < row.content.size(); at += piece) answer.content(row.content.substr(at, piece));
            EXPECT_EQ(answer.verdict(), row.expected) << row.status << ' ' << row.content;
        }
    }
}

TEST(LoginAnswer, LooksAtABoundedPart) {
    ResponseHead head;
    head.status = 200;
    head.fields.add("Content-Type", "application/json");
    LoginAnswer answer;
    answer.begin(head);
    answer.content(std::string(LoginAnswer::kMostContent, 'x'));
    answer.content(R"({"type":"create_entry"})");
    EXPECT_EQ(answer.verdict(), LoginVerdict::open);
}

}  // namespace
}  // namespace sallyport
