#include "wire/http1_parser.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "wire/http1_writer.h"

namespace sallyport {
namespace {

std::string show(const RequestHead& head) {
    std::string out =
        head.method + " " + head.target + " @" + head.authority + " 1." + std::to_string(head.version_minor);
    if (head.framing.kind == Framing::Kind::content_length) out += " length=" + std::to_string(head.framing.length);
    if (head.framing.kind == Framing::Kind::chunked) out += " chunked";
    if (head.persistent) out += " persistent";
    if (head.wants_upgrade) out += " upgrade";
    if (head.expects_continue) out += " continue";
    return out;
}

std::string show(const ResponseHead& head) {
    std::string out = std::to_string(head.status) + " " + head.reason;
    if (head.framing.kind == Framing::Kind::content_length) out += " length=" + std::to_string(head.framing.length);
    if (head.framing.kind == Framing::Kind::chunked) out += " chunked";
    if (head.framing.kind == Framing::Kind::until_close) out += " until_close";
    if (head.announced_length) out += " announced=" + std::to_string(*head.announced_length);
    if (head.persistent) out += " persistent";
    if (head.wants_upgrade) out += " upgrade";
    return out;
}

struct Answer {
    std::string text;  // show(), or "need_more", or "<status> <code>" of a refusal
    std::size_t consumed = 0;
    bool operator==(const Answer&) const = default;
};

Answer answer(HeadReader& reader, std::string_view in) {
    RequestHead head;
    const auto result = reader.read_request(in, head);
    if (result) return {show(head), *result};
    if (result.error().code == Errc::need_more) return {"need_more"};
    return {std::to_string(reader.refusal_status()) + " " + std::string(name_of(result.error().code))};
}

Answer answer(HeadReader& reader, std::string_view in, std::string_view method) {
    ResponseHead head;
    const auto result = reader.read_response(in, method, head);
    if (result) return {show(head), *result};
    if (result.error().code == Errc::need_more) return {"need_more"};
    return {std::string(name_of(result.error().code))};
}

// Whole, cut in two at every octet, and octet by octet: always the same answer.
template <class... Method>
Answer answer_however_cut(const std::string& in, Method... method) {
    HeadReader whole;
    const Answer expected = answer(whole, in, method...);
    for (std::size_t cut = 0; cut <= in.size(); ++cut) {
        HeadReader reader;
        Answer got = answer(reader, std::string_view(in).substr(0, cut), method...);
        if (got.text == "need_more") got = answer(reader, in, method...);
        EXPECT_EQ(got, expected) << "cut at " << cut;
    }
    HeadReader slow;
    Answer last{"need_more"};
    for (std::size_t size = 0; size <= in.size() && last.text == "need_more"; ++size)
        last = answer(slow, std::string_view(in).substr(0, size), method...);
    EXPECT_EQ(last.text, expected.text) << "octet by octet";
    return expected;
}

struct Row {
    const char* name;
    std::string in;
    std::string want;
};

constexpr char kHost[] = "Host: a.example\r\n";

TEST(Http1Parser, ReadsRequests) {
    const std::string h = kHost;
    const std::vector<Row> rows = {
        {"shortest", "GET / HTTP/1.1\r\n" + h + "\r\n", "GET / @a.example 1.1 persistent"},
        {"empty line first (RFC 9112 2.2)", "\r\nGET / HTTP/1.1\r\n" + h + "\r\n", "GET / @a.example 1.1 persistent"},
        {"two empty lines first", "\r\n\r\nGET / HTTP/1.1\r\n" + h + "\r\n", "400 protocol"},
        {"target passes octet for octet", "GET /%7e//a/../b?x=%00&y=[]{}|\\^`\"<>\xc3\xa9 HTTP/1.1\r\n" + h + "\r\n",
         "GET /%7e//a/../b?x=%00&y=[]{}|\\^`\"<>\xc3\xa9 @a.example 1.1 persistent"},
        {"port in Host", "GET / HTTP/1.1\r\nHost: A.Example:8443\r\n\r\n", "GET / @A.Example:8443 1.1 persistent"},
        {"IPv6 Host", "GET / HTTP/1.1\r\nHost: [::1]:80\r\n\r\n", "GET / @[::1]:80 1.1 persistent"},
        {"close", "GET / HTTP/1.1\r\nConnection: foo, Close\r\n" + h + "\r\n", "GET / @a.example 1.1"},
        {"1.0", "GET / HTTP/1.0\r\n\r\n", "GET / @ 1.0"},
        {"1.0 keep-alive", "GET / HTTP/1.0\r\nConnection: keep-alive\r\n" + h + "\r\n",
         "GET / @a.example 1.0 persistent"},
        {"close beats keep-alive", "GET / HTTP/1.1\r\nConnection: keep-alive\r\nConnection: close\r\n" + h + "\r\n",
         "GET / @a.example 1.1"},
        {"length", "POST / HTTP/1.1\r\nContent-Length: 0012\r\n" + h + "\r\n",
         "POST / @a.example 1.1 length=12 persistent"},
        {"length 0", "POST / HTTP/1.1\r\n" + h + "Content-Length:0\r\n\r\n",
         "POST / @a.example 1.1 length=0 persistent"},
        {"largest length", "PUT / HTTP/1.1\r\n" + h + "Content-Length: 9223372036854775807\r\n\r\n",
         "PUT / @a.example 1.1 length=9223372036854775807 persistent"},
        {"chunked", "POST / HTTP/1.1\r\ntransfer-encoding: \t Chunked \t\r\n" + h + "\r\n",
         "POST / @a.example 1.1 chunked persistent"},
        {"upgrade", "GET /ws HTTP/1.1\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n" + h + "\r\n",
         "GET /ws @a.example 1.1 persistent upgrade"},
        {"upgrade option without the field", "GET /ws HTTP/1.1\r\nConnection: Upgrade\r\n" + h + "\r\n",
         "GET /ws @a.example 1.1 persistent"},
        {"expect", "POST / HTTP/1.1\r\n" + h + "Expect: 100-Continue\r\nContent-Length: 3\r\n\r\n",
         "POST / @a.example 1.1 length=3 persistent continue"},
        {"expect without content", "GET / HTTP/1.1\r\n" + h + "Expect: 100-continue\r\n\r\n",
         "GET / @a.example 1.1 persistent"},
        {"absolute-form", "GET http://a.example/p?q HTTP/1.1\r\n" + h + "\r\n", "GET /p?q @a.example 1.1 persistent"},
        {"absolute-form, no path", "GET HTTPS://a.example HTTP/1.1\r\n" + h + "\r\n",
         "GET / @a.example 1.1 persistent"},
        {"absolute-form, query only", "GET http://a.example?q HTTP/1.1\r\n" + h + "\r\n",
         "GET /?q @a.example 1.1 persistent"},
        {"absolute-form, OPTIONS", "OPTIONS http://a.example HTTP/1.1\r\n" + h + "\r\n",
         "OPTIONS * @a.example 1.1 persistent"},
        {"absolute-form against Host", "GET http://b.example/ HTTP/1.1\r\n" + h + "\r\n", "400 protocol"},
        {"absolute-form, userinfo", "GET http://u@a.example/ HTTP/1.1\r\n" + h + "\r\n", "400 protocol"},
        {"absolute-form without Host", "GET http://a.example/ HTTP/1.1\r\n\r\n", "400 protocol"},
        {"other scheme", "GET ftp://a.example/ HTTP/1.1\r\n" + h + "\r\n", "400 protocol"},
        {"asterisk-form", "OPTIONS * HTTP/1.1\r\n" + h + "\r\n", "OPTIONS * @a.example 1.1 persistent"},
        {"asterisk-form for GET", "GET * HTTP/1.1\r\n" + h + "\r\n", "400 protocol"},
        {"authority-form", "CONNECT a.example:443 HTTP/1.1\r\nHost: a.example:443\r\n\r\n",
         "CONNECT a.example:443 @a.example:443 1.1 persistent"},
        {"authority-form without port", "CONNECT a.example HTTP/1.1\r\n" + h + "\r\n", "400 protocol"},
        {"authority-form for GET", "GET a.example:443 HTTP/1.1\r\n" + h + "\r\n", "400 protocol"},
        {"origin-form for CONNECT", "CONNECT / HTTP/1.1\r\n" + h + "\r\n", "400 protocol"},
        {"fragment", "GET /#x HTTP/1.1\r\n" + h + "\r\n", "400 protocol"},
        {"space in the target", "GET /a b HTTP/1.1\r\n" + h + "\r\n", "400 protocol"},
        {"tab in the target", "GET /a\tb HTTP/1.1\r\n" + h + "\r\n", "400 protocol"},
        {"two spaces", "GET  / HTTP/1.1\r\n" + h + "\r\n", "400 protocol"},
        {"space behind the version", "GET / HTTP/1.1 \r\n" + h + "\r\n", "400 protocol"},
        {"space first", " GET / HTTP/1.1\r\n" + h + "\r\n", "400 protocol"},
        {"no version", "GET /\r\n" + h + "\r\n", "400 protocol"},
        {"lower-case version", "GET / http/1.1\r\n" + h + "\r\n", "400 protocol"},
        {"1.2", "GET / HTTP/1.2\r\n" + h + "\r\n", "505 protocol"},
        {"HTTP/2 preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "505 protocol"},
        {"longer version", "GET / HTTP/1.10\r\n" + h + "\r\n", "400 protocol"},
        {"method with a colon", "GE:T / HTTP/1.1\r\n" + h + "\r\n", "400 protocol"},
        {"TLS on the plain port", "\x16\x03\x01", "400 protocol"},
        {"bare LF", "GET / HTTP/1.1\n" + h + "\r\n", "400 protocol"},
        {"bare LF behind a field", "GET / HTTP/1.1\r\nHost: a.example\n\r\n", "400 protocol"},
        {"bare CR in a value", "GET / HTTP/1.1\r\n" + h + "A: b\rc\r\n\r\n", "400 protocol"},
        {"CR CR LF", "GET / HTTP/1.1\r\n" + h + "A: b\r\r\n\r\n", "400 protocol"},
        {"NUL in a value", "GET / HTTP/1.1\r\n" + h + std::string("A: b\0c\r\n\r\n", 10), "400 protocol"},
        {"DEL in a value", "GET / HTTP/1.1\r\n" + h + "A: b\x7f\r\n\r\n", "400 protocol"},
        {"obs-text in a value", "GET / HTTP/1.1\r\n" + h + "A: b\xff\r\n\r\n", "GET / @a.example 1.1 persistent"},
        {"obs-fold", "GET / HTTP/1.1\r\n" + h + "A: b\r\n c\r\n\r\n", "400 protocol"},
        {"space before the first field", "GET / HTTP/1.1\r\n " + h + "\r\n", "400 protocol"},
        {"space before the colon", "GET / HTTP/1.1\r\nHost : a.example\r\n\r\n", "400 protocol"},
        {"no colon", "GET / HTTP/1.1\r\n" + h + "A\r\n\r\n", "400 protocol"},
        {"no name", "GET / HTTP/1.1\r\n" + h + ": b\r\n\r\n", "400 protocol"},
        {"no Host", "GET / HTTP/1.1\r\nA: b\r\n\r\n", "400 protocol"},
        {"Host twice", "GET / HTTP/1.1\r\n" + h + h + "\r\n", "400 protocol"},
        {"Host empty", "GET / HTTP/1.1\r\nHost:\r\n\r\n", "400 protocol"},
        {"Host with a path", "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", "400 protocol"},
        {"Host list", "GET / HTTP/1.1\r\nHost: a, b\r\n\r\n", "400 protocol"},
        {"Host with userinfo", "GET / HTTP/1.1\r\nHost: u@a\r\n\r\n", "400 protocol"},
        {"Host with port 0", "GET / HTTP/1.1\r\nHost: a:0\r\n\r\n", "400 protocol"},
        {"length and chunked", "POST / HTTP/1.1\r\n" + h + "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n",
         "400 protocol"},
        {"lengths differ", "POST / HTTP/1.1\r\n" + h + "Content-Length: 3\r\nContent-Length: 4\r\n\r\n",
         "400 protocol"},
        {"lengths alike", "POST / HTTP/1.1\r\n" + h + "Content-Length: 3\r\nContent-Length: 3\r\n\r\n", "400 protocol"},
        {"length list", "POST / HTTP/1.1\r\n" + h + "Content-Length: 3, 3\r\n\r\n", "400 protocol"},
        {"length signed", "POST / HTTP/1.1\r\n" + h + "Content-Length: +3\r\n\r\n", "400 protocol"},
        {"length negative", "POST / HTTP/1.1\r\n" + h + "Content-Length: -3\r\n\r\n", "400 protocol"},
        {"length hex", "POST / HTTP/1.1\r\n" + h + "Content-Length: 0x3\r\n\r\n", "400 protocol"},
        {"length empty", "POST / HTTP/1.1\r\n" + h + "Content-Length:\r\n\r\n", "400 protocol"},
        {"length above 2^63", "POST / HTTP/1.1\r\n" + h + "Content-Length: 9223372036854775808\r\n\r\n",
         "400 protocol"},
        {"length above 2^64", "POST / HTTP/1.1\r\n" + h + "Content-Length: 18446744073709551617\r\n\r\n",
         "400 protocol"},
        {"gzip, chunked", "POST / HTTP/1.1\r\n" + h + "Transfer-Encoding: gzip, chunked\r\n\r\n", "501 protocol"},
        {"identity", "POST / HTTP/1.1\r\n" + h + "Transfer-Encoding: identity\r\n\r\n", "501 protocol"},
        {"xchunked", "POST / HTTP/1.1\r\n" + h + "Transfer-Encoding: xchunked\r\n\r\n", "501 protocol"},
        {"chunked with a parameter", "POST / HTTP/1.1\r\n" + h + "Transfer-Encoding: chunked;a=b\r\n\r\n",
         "501 protocol"},
        {"vertical tab before chunked",
         "POST / HTTP/1.1\r\n" + h +
             "Transfer-Encoding: \x0b"
             "chunked\r\n\r\n",
         "400 protocol"},
        {"chunked twice",
         "POST / HTTP/1.1\r\n" + h + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
         "400 protocol"},
        {"chunked on 1.0", "POST / HTTP/1.0\r\n" + h + "Transfer-Encoding: chunked\r\n\r\n", "400 protocol"},
        {"nothing", "", "need_more"},
        {"half a head", "GET / HTTP/1.1\r\n" + h, "need_more"},
    };
    for (const Row& row : rows) {
        SCOPED_TRACE(row.name);
        EXPECT_EQ(answer_however_cut(row.in).text, row.want);
    }
}

TEST(Http1Parser, ReadsResponses) {
    struct ResponseRow {
        const char* name;
        const char* method;
        std::string in;
        std::string want;
    };
    const std::vector<ResponseRow> rows = {
        {"length", "GET", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", "200 OK length=5 persistent"},
        {"chunked", "GET", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "200 OK chunked persistent"},
        {"until close", "GET", "HTTP/1.1 200 OK\r\n\r\n", "200 OK until_close"},
        {"until close on 1.0 keep-alive", "GET", "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n\r\n",
         "200 OK until_close"},
        {"1.0 keep-alive", "GET", "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 1\r\n\r\n",
         "200 OK length=1 persistent"},
        {"close", "GET", "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 1\r\n\r\n", "200 OK length=1"},
        {"HEAD", "HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", "200 OK announced=5 persistent"},
        {"HEAD chunked", "HEAD", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "200 OK persistent"},
        {"304", "GET", "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n",
         "304 Not Modified announced=5 persistent"},
        {"204", "GET", "HTTP/1.1 204 No Content\r\n\r\n", "204 No Content persistent"},
        {"204 with length 0", "GET", "HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n",
         "204 No Content persistent"},
        {"204 that frames content", "GET", "HTTP/1.1 204 No Content\r\nContent-Length: 2\r\n\r\n", "204 No Content"},
        {"100", "POST", "HTTP/1.1 100 Continue\r\n\r\n", "100 Continue persistent"},
        {"101", "GET", "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
         "101 Switching Protocols persistent upgrade"},
        {"CONNECT", "CONNECT", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", "200 OK"},
        {"CONNECT refused", "CONNECT", "HTTP/1.1 403 Forbidden\r\nContent-Length: 5\r\n\r\n",
         "403 Forbidden length=5 persistent"},
        {"no reason", "GET", "HTTP/1.1 200 \r\nContent-Length: 0\r\n\r\n", "200  length=0 persistent"},
        {"no reason, no space", "GET", "HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n", "200  length=0 persistent"},
        {"odd status", "GET", "HTTP/1.1 999 \xe4\r\nContent-Length: 0\r\n\r\n", "999 \xe4 length=0 persistent"},
        {"status too short", "GET", "HTTP/1.1 20 OK\r\n\r\n", "protocol"},
        {"status too long", "GET", "HTTP/1.1 2000 OK\r\n\r\n", "protocol"},
        {"status below 100", "GET", "HTTP/1.1 099 OK\r\n\r\n", "protocol"},
        {"HTTP/2", "GET", "HTTP/2 200 OK\r\n\r\n", "protocol"},
        {"not HTTP", "GET", "SSH-2.0-OpenSSH", "protocol"},
        {"empty line first", "GET", "\r\nHTTP/1.1 200 OK\r\n\r\n", "protocol"},
        {"length and chunked", "GET", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
         "protocol"},
        {"lengths twice", "GET", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\n", "protocol"},
        {"chunked on 1.0", "GET", "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "protocol"},
        {"gzip", "GET", "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n", "protocol"},
        {"bare LF", "GET", "HTTP/1.1 200 OK\n\n", "protocol"},
        {"control in the reason", "GET", "HTTP/1.1 200 O\x01K\r\n\r\n", "protocol"},
        {"obs-fold", "GET", "HTTP/1.1 200 OK\r\nA: b\r\n\tc\r\n\r\n", "protocol"},
    };
    for (const ResponseRow& row : rows) {
        SCOPED_TRACE(row.name);
        EXPECT_EQ(answer_however_cut(row.in, std::string_view(row.method)).text, row.want);
    }
}

TEST(Http1Parser, ConsumesOneHeadOfAPipeline) {
    const std::string first = "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n";
    const std::string second = "GET /b HTTP/1.1\r\nHost: b\r\n\r\n";
    HeadReader reader;
    RequestHead head;
    EXPECT_EQ(reader.read_request(first + "abc" + second, head).value(), first.size());
    EXPECT_EQ(reader.read_request(second, head).value(), second.size());
    EXPECT_EQ(show(head), "GET /b @b 1.1 persistent");
    EXPECT_EQ(head.fields.size(), 1u);
}

TEST(Http1Parser, KeepsFieldsInOrderAsSent) {
    RequestHead head;
    ASSERT_TRUE(parse_request_head(
        "GET / HTTP/1.1\r\nhost: a\r\nX-One:  1 \t\r\nX_Two: a b\r\nEmpty:\r\nx-one: 2\r\n\r\n", head));
    std::string seen;
    for (const Field& field : head.fields)
        seen += std::string(field.name) + "=" + std::string(field.value) + (field.has_underscore ? "!" : "") + ";";
    EXPECT_EQ(seen, "host=a;X-One=1;X_Two=a b!;Empty=;x-one=2;");
    EXPECT_TRUE(head.fields.has_underscore_names());
    EXPECT_EQ(head.path(), "/");
}

TEST(Http1Parser, BoundsTheHead) {
    const std::string start = "GET / HTTP/1.1\r\nHost: a\r\n";
    RequestHead head;
    HeadReader reader;
    const auto refused_with = [&](const std::string& in) {
        reader.reset();
        const auto result = reader.read_request(in, head);
        return result ? 0 : result.error().code == Errc::need_more ? -1 : reader.refusal_status();
    };
    EXPECT_EQ(refused_with(start + "A: " + std::string(60'000, 'a') + "\r\n\r\n"), 0);
    EXPECT_EQ(refused_with(start + "A: " + std::string(66'000, 'a') + "\r\n\r\n"), 431);
    EXPECT_EQ(refused_with(start + "A: " + std::string(66'000, 'a')), 431);
    EXPECT_EQ(refused_with("GET /" + std::string(24 * 1024, 'a') + " HTTP/1.1\r\nHost: a\r\n\r\n"), 0);
    EXPECT_EQ(refused_with("GET /" + std::string(33 * 1024, 'a')), 414);
    EXPECT_EQ(refused_with("GET /" + std::string(33 * 1024, 'a') + " HTTP/1.1\r\nHost: a\r\n\r\n"), 414);
    EXPECT_EQ(refused_with(start + std::string(2000, 'n') + ": v\r\n\r\n"), 431);
    std::string fields;
    for (int i = 0; i < 127; ++i) fields += "A: b\r\n";
    EXPECT_EQ(refused_with(start + fields + "\r\n"), 0);
    EXPECT_EQ(refused_with(start + fields + "A: b\r\n\r\n"), 431);
    EXPECT_EQ(refused_with(start + "Connection: a" + std::string(64, ',') + "b\r\n\r\n"), 0);
    std::string options = "Connection: a";
    for (int i = 0; i < 40; ++i) options += ",a";
    EXPECT_EQ(refused_with(start + options + "\r\n\r\n"), 400);
}

TEST(Http1Parser, WhatItReadItsWriterWritesCanonically) {
    RequestHead head;
    ASSERT_TRUE(parse_request_head(
        "POST http://a.example/x HTTP/1.0\r\nA:b\r\nHOST:a.example\r\nconnection: close, x-y\r\nX-Y: gone\r\n"
        "content-length:  07\r\nZ:\r\n\r\n",
        head));
    remove_connection_fields(head.fields);
    std::string out;
    write_request_head(out, head, ConnectionOption::none);
    EXPECT_EQ(out, "POST /x HTTP/1.1\r\nHost: a.example\r\nA: b\r\nZ: \r\nContent-Length: 7\r\n\r\n");
}

}  // namespace
}  // namespace sallyport
