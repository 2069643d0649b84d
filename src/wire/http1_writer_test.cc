#include "wire/http1_writer.h"

#include <gtest/gtest.h>

#include "wire/http1_parser.h"

namespace sallyport {
namespace {

TEST(Http1Writer, WritesFramingFromValuesOnly) {
    ResponseHead head;
    head.status = 200;
    head.reason = "OK";
    head.fields.add("Content-Length", "99");
    head.fields.add("Transfer-Encoding", "gzip");
    head.fields.add("Connection", "X");
    head.fields.add("Server", "s");
    std::string out;
    head.framing.kind = Framing::Kind::chunked;
    write_response_head(out, head, ConnectionOption::close);
    EXPECT_EQ(out, "HTTP/1.1 200 OK\r\nServer: s\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n");
    out.clear();
    head.framing = {Framing::Kind::content_length, 5};
    write_response_head(out, head, ConnectionOption::keep_alive);
    EXPECT_EQ(out, "HTTP/1.1 200 OK\r\nServer: s\r\nContent-Length: 5\r\nConnection: keep-alive\r\n\r\n");
    out.clear();
    head.framing = {};
    head.announced_length = 7;
    write_response_head(out, head, ConnectionOption::none);
    EXPECT_EQ(out, "HTTP/1.1 200 OK\r\nServer: s\r\nContent-Length: 7\r\n\r\n");
}

TEST(Http1Writer, WritesWhatTheParserReads) {
    RequestHead head;
    head.method = "GET";
    head.target = "/a?b";
    head.authority = "a.example:8443";
    head.fields.add("Upgrade", "websocket");
    std::string out;
    write_request_head(out, head, ConnectionOption::upgrade);
    EXPECT_EQ(out, "GET /a?b HTTP/1.1\r\nHost: a.example:8443\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n");
    RequestHead read;
    ASSERT_TRUE(parse_request_head(out, read));
    EXPECT_TRUE(read.wants_upgrade);
    EXPECT_EQ(read.authority, head.authority);
}

}  // namespace
}  // namespace sallyport
