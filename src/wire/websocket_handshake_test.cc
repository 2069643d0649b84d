#include "wire/websocket_handshake.h"

#include <gtest/gtest.h>

#include <functional>

#include "wire/http1_parser.h"
#include "wire/http1_writer.h"

namespace sallyport {
namespace {

constexpr std::string_view kKey = "dGhlIHNhbXBsZSBub25jZQ==";  // RFC 6455 1.3

RequestHead request() {
    RequestHead head, read;
    fill_websocket_request(head, "relay.example", "/tunnel", kKey);
    std::string text;
    write_request_head(text, head, ConnectionOption::upgrade);
    EXPECT_TRUE(parse_request_head(text, read));
    return read;
}

ResponseHead response() {
    ResponseHead head, read;
    fill_websocket_response(head, kKey);
    std::string text;
    write_response_head(text, head, ConnectionOption::upgrade);
    EXPECT_TRUE(parse_response_head(text, "GET", read));
    return read;
}

TEST(WebSocketHandshake, ComputesAccept) {
    EXPECT_EQ(websocket_accept(kKey), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    EXPECT_EQ(make_websocket_key().size(), 24u);
    EXPECT_NE(make_websocket_key(), make_websocket_key());
}

TEST(WebSocketHandshake, BothSidesAgree) {
    EXPECT_EQ(check_websocket_request(request()), std::string(kKey));
    EXPECT_TRUE(check_websocket_response(response(), kKey));
}

TEST(WebSocketHandshake, RefusesOtherRequests) {
    const std::vector<std::function<void(RequestHead&)>> spoil = {
        [](RequestHead& head) { head.method = "POST"; },
        [](RequestHead& head) { head.version_minor = 0; },
        [](RequestHead& head) { head.framing.kind = Framing::Kind::chunked; },
        [](RequestHead& head) { head.wants_upgrade = false; },
        [](RequestHead& head) { head.fields.set("Upgrade", "h2c"); },
        [](RequestHead& head) { head.fields.set("Sec-WebSocket-Version", "8"); },
        [](RequestHead& head) { head.fields.remove("Sec-WebSocket-Key"); },
        [](RequestHead& head) { head.fields.add("Sec-WebSocket-Key", kKey); },
        [](RequestHead& head) { head.fields.set("Sec-WebSocket-Key", "c2hvcnQ="); },
    };
    for (std::size_t i = 0; i < spoil.size(); ++i) {
        RequestHead head = request();
        spoil[i](head);
        EXPECT_FALSE(check_websocket_request(head)) << i;
    }
}

TEST(WebSocketHandshake, RefusesOtherResponses) {
    const std::vector<std::function<void(ResponseHead&)>> spoil = {
        [](ResponseHead& head) { head.status = 200; },
        [](ResponseHead& head) { head.wants_upgrade = false; },
        [](ResponseHead& head) { head.fields.set("Upgrade", "h2c"); },
        [](ResponseHead& head) { head.fields.set("Sec-WebSocket-Accept", "s3pPLMBiTxaQ9kYGzzhZRbK+xOp="); },
        [](ResponseHead& head) { head.fields.add("Sec-WebSocket-Accept", websocket_accept(kKey)); },
        [](ResponseHead& head) { head.fields.add("Sec-WebSocket-Extensions", "permessage-deflate"); },
        [](ResponseHead& head) { head.fields.add("Sec-WebSocket-Protocol", "chat"); },
    };
    for (std::size_t i = 0; i < spoil.size(); ++i) {
        ResponseHead head = response();
        spoil[i](head);
        EXPECT_FALSE(check_websocket_response(head, kKey)) << i;
    }
    ResponseHead head = response();
    head.fields.add("Sec-WebSocket-Protocol", "chat");
    EXPECT_TRUE(check_websocket_response(head, kKey, "chat"));
}

}  // namespace
}  // namespace sallyport
