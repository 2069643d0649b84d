#include "wire/proxy_status.h"

#include <gtest/gtest.h>

#include <vector>

namespace sallyport {
namespace {

TEST(ProxyStatus, WritesAStructuredField) {
    EXPECT_EQ(format_proxy_status(
                  {"sallyport-agent", ProxyError::connection_refused, "connect 127.0.0.1:8123: \"refused\"\n\xc3\xa9"}),
              "sallyport-agent; error=connection_refused; details=\"connect 127.0.0.1:8123: \\\"refused\\\"???\"");
    EXPECT_EQ(format_proxy_status({"two words", ProxyError::dns_error, ""}), "sallyport; error=dns_error");
}

TEST(ProxyStatus, Reads) {
    struct Row {
        const char* name;
        std::string in;
        std::string want;  // proxy error details, or "!" and the code
    };
    const std::vector<Row> rows = {
        {"all", "agent; error=dns_timeout; details=\"a; b, \\\"c\\\"\"", "agent dns_timeout a; b, \"c\""},
        {"no spaces", "agent;error=tls_certificate_error", "agent tls_certificate_error "},
        {"nearest proxy", "far; error=dns_error, near; error=connection_timeout", "near connection_timeout "},
        {"other parameters", "a; rcode=\"x\"; error=dns_error; received-status=5; flag", "a dns_error "},
        {"unknown error", "a; error=of_the_future", "a proxy_internal_error "},
        {"no error", "a", "a proxy_internal_error "},
        {"quoted name (RFC 8941 strings are no tokens)", "\"a\"; error=dns_error", "!protocol"},
        {"empty", "", "!protocol"},
        {"open string", "a; details=\"x", "!protocol"},
        {"text behind a string", "a; details=\"x\"y", "!protocol"},
        {"semicolon at the end", "a; error=dns_error;", "!protocol"},
        {"no parameter name", "a; =x", "!protocol"},
        {"too long", "a; details=\"" + std::string(5000, 'x') + "\"", "!too_large"},
    };
    for (const Row& row : rows) {
        const auto status = parse_proxy_status(row.in);
        EXPECT_EQ(status ? status->proxy + " " + std::string(name_of(status->error)) + " " + status->details
                         : "!" + std::string(name_of(status.error().code)),
                  row.want)
            << row.name;
    }
}

TEST(ProxyStatus, BoundsDetails) {
    const std::string text = format_proxy_status({"a", ProxyError::dns_error, std::string(1000, '"')});
    const auto status = parse_proxy_status(text);
    ASSERT_TRUE(status);
    EXPECT_EQ(status->details, std::string(256, '"'));
}

TEST(ProxyStatus, RecommendsAStatus) {
    EXPECT_EQ(recommended_status(ProxyError::connection_timeout), 504);
    EXPECT_EQ(recommended_status(ProxyError::http_request_denied), 403);
    EXPECT_EQ(recommended_status(ProxyError::connection_refused), 502);
    EXPECT_EQ(name_of(ProxyError::proxy_loop_detected), "proxy_loop_detected");
}

}  // namespace
}  // namespace sallyport
