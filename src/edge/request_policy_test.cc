#include "edge/request_policy.h"

#include <gtest/gtest.h>

#include "wire/http1_parser.h"

namespace sallyport {
namespace {

TEST(RequestPolicy, DropsWhatOnlyProxiesMaySay) {
    const std::string_view untrusted[] = {
        "X-Forwarded-For", "x-forwarded-for", "X-FORWARDED-PROTO", "X-Forwarded-Host", "X-Forwarded-Port", "X-Forwarded-Anything",
        "Forwarded", "X-Real-IP", "x-real-ip", "X_Real_IP", "X-Forwarded_For", "CF-Connecting-IP", "True-Client-IP", "X-Client-IP",
        "Client-IP", "X-Original-URL", "X-Rewrite-URL", "Proxy", "X-Remote-User-Id", "X-Remote-User", "X-Ingress-Path", "X-Hass-Source",
        "Remote-User", "REMOTE-GROUPS", "X-Hass-User-Id", "X-Auth-Request-Email", "Remote_User",
    };
    const std::string_view trusted[] = {
        "Accept", "Cookie", "Authorization", "X-Requested-With", "X-Forward", "Content-Type", "Proxy-Thing", "X-Speech-Content", "Referer", "Remote-Control", "X-Auth-Token",
    };
    FieldSection fields;
    for (const std::string_view name : untrusted) fields.add(name, "x");
    for (const std::string_view name : trusted) fields.add(name, "x");
    std::size_t at = 0;
    for (const Field& field : fields) EXPECT_EQ(is_untrusted(field), at++ < std::size(untrusted)) << field.name;
}

TEST(RequestPolicy, KeepsExpectOnlyWhereA100IsAwaited) {
    struct Row {
        std::string_view request;
        bool kept;
    };
    const Row rows[] = {
        {"POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n", true},
        {"GET / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n\r\n", false},
        {"POST / HTTP/1.0\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n", false},
    };
    for (const Row& row : rows) {
        RequestHead head;
        ASSERT_TRUE(parse_request_head(row.request, head));
        drop_untrusted_fields(head);
        EXPECT_EQ(head.fields.contains(FieldId::expect), row.kept) << row.request;
    }
}

TEST(RequestPolicy, StripsPrefixesOctetForOctet) {
    struct Row {
        std::string target, prefix, expected;
    };
    const Row rows[] = {
        {"/a/b?x=/a", "/a", "/b?x=/a"}, {"/a", "/a", "/"},       {"/a?x", "/a", "/?x"},      {"/a/", "/a", "/"},
        {"/a/b", "/a/", "/b"},          {"/a//b", "/a", "//b"},  {"/a/%2F..", "/a", "/%2F.."}, {"/x", "/", "/x"},
        {"*", "/a", "*"},
    };
    for (const Row& row : rows) {
        std::string target = row.target;
        strip_prefix(target, row.prefix);
        EXPECT_EQ(target, row.expected) << row.target << " without " << row.prefix;
    }
}

TEST(RequestPolicy, FindsItselfInCdnLoop) {
    struct Row {
        std::string_view value;
        bool looped;
    };
    const Row rows[] = {
        {"relay-1", true}, {"other, Relay-1", true}, {"other;v=\"relay-1\"", false}, {"relay-10", false}, {"relay-1 ; x=y, other", true}, {"", false},
    };
    for (const Row& row : rows) {
        FieldSection fields;
        fields.add("CDN-Loop", "first");
        fields.add("CDN-Loop", row.value);
        EXPECT_EQ(has_looped(fields, "relay-1"), row.looped) << row.value;
    }
}

}  // namespace
}  // namespace sallyport
