#include "edge/http2_head_reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <utility>
#include <vector>

namespace sallyport {
namespace {

using Fields = std::vector<std::pair<std::string, std::string>>;
using Ends = Http2HeadReader::Ends;

const Fields kGet{{":method", "GET"}, {":scheme", "https"}, {":authority", "home.example"}, {":path", "/x?y"}};

class Http2HeadReaderTest : public testing::Test {
protected:
    int read(const Fields& fields, Ends ends = Ends::here) {
        reader.begin(Http2HeadReader::Section::header);
        for (const auto& [name, value] : fields)
            if (!reader.add(name, value)) return -1;
        return reader.take_request(head, ends);
    }
    static Fields with(Fields fields, const Fields& more) {
        fields.insert(fields.end(), more.begin(), more.end());
        return fields;
    }
    static Fields get_with(std::size_t index, std::string value) {
        Fields fields = kGet;
        fields[index].second = std::move(value);
        return fields;
    }
    Http2HeadReader reader;
    RequestHead head;
};

TEST_F(Http2HeadReaderTest, MakesAnHttp1Request) {
    EXPECT_EQ(read(with(kGet, {{"x-a", "1"}})), 0);
    EXPECT_EQ(head.method, "GET");
    EXPECT_EQ(head.target, "/x?y");
    EXPECT_EQ(head.authority, "home.example");
    EXPECT_EQ(head.framing, Framing{});
    EXPECT_EQ(head.fields.find("x-a"), "1");
}

TEST_F(Http2HeadReaderTest, JoinsCookieCrumbs) {
    EXPECT_EQ(read(with(kGet, {{"cookie", "a=1"}, {"x-a", "1"}, {"cookie", "b=2"}, {"cookie", "c=3"}})), 0);
    EXPECT_EQ(head.fields.count(FieldId::cookie), 1u);
    EXPECT_EQ(head.fields.find(FieldId::cookie), "a=1; b=2; c=3");
}

TEST_F(Http2HeadReaderTest, SettlesHowContentGoesOn) {
    EXPECT_EQ(read(with(kGet, {{"content-length", "5"}}), Ends::later), 0);
    EXPECT_EQ(head.framing, (Framing{Framing::Kind::content_length, 5}));
    EXPECT_EQ(read(kGet, Ends::later), 0);
    EXPECT_EQ(head.framing.kind, Framing::Kind::chunked);
    EXPECT_EQ(read(get_with(0, "POST")), 0);
    EXPECT_EQ(head.framing, (Framing{Framing::Kind::content_length, 0}));
    EXPECT_EQ(read(with(kGet, {{"expect", "100-continue"}, {"content-length", "5"}}), Ends::later), 0);
    EXPECT_TRUE(head.expects_continue);
    EXPECT_EQ(read(with(kGet, {{"expect", "100-continue"}})), 0);
    EXPECT_FALSE(head.expects_continue);
}

TEST_F(Http2HeadReaderTest, RefusesWhatCouldBeReadInTwoWays) {
    const std::pair<const char*, Fields> rows[] = {
        {"Host unlike :authority (RFC 9113 8.3.1)", with(kGet, {{"host", "other.example"}})},
        {"Host twice", with(kGet, {{"host", "home.example"}, {"host", "home.example"}})},
        {"no authority", {kGet[0], kGet[1], kGet[3]}},
        {"authority with user", get_with(2, "a@home.example")},
        {"path without slash", get_with(3, "x")},
        {"space in the path", get_with(3, "/ HTTP/1.1")},
        {"fragment", get_with(3, "/a#b")},
        {"asterisk to GET", get_with(3, "*")},
        {"no http", get_with(1, "ftp")},
        {"method that is no token", get_with(0, "GET /")},
        {"signed length", with(kGet, {{"content-length", "+1"}})},
        {"length of 2^63", with(kGet, {{"content-length", "9223372036854775808"}})},
        {"two lengths", with(kGet, {{"content-length", "0"}, {"content-length", "0"}})},
        {":protocol without CONNECT (RFC 8441 4)", with(kGet, {{":protocol", "websocket"}})},
    };
    for (const auto& [what, fields] : rows) EXPECT_EQ(read(fields), 400) << what;
    EXPECT_EQ(read(with(kGet, {{"host", "HOME.example"}})), 0);
}

TEST_F(Http2HeadReaderTest, BoundsWhatASectionMayWeigh) {
    EXPECT_EQ(read(get_with(3, "/" + std::string(40'000, 'a'))), 414);
    EXPECT_EQ(read(with(kGet, {{"x-a", std::string(66'000, 'a')}})), 431);
    Fields many = kGet;
    for (int i = 0; i < 129; ++i) many.emplace_back("x-" + std::to_string(i), "1");
    EXPECT_EQ(read(many), 431);
    Fields crumbs = kGet;
    for (int i = 0; i < 1'500; ++i) crumbs.emplace_back("cookie", "a=0123456789");
    EXPECT_EQ(read(crumbs), 431);
    for (int i = 0; i < 10'000; ++i) crumbs.emplace_back("cookie", "a=0123456789");
    EXPECT_EQ(read(crumbs), -1);
    EXPECT_EQ(read(kGet), 0);
}

TEST_F(Http2HeadReaderTest, MakesAWebSocketOpeningOfAnExtendedConnect) {
    const Fields connect = with(get_with(0, "CONNECT"), {{":protocol", "websocket"}, {"sec-websocket-key", "forged"}});
    EXPECT_EQ(read(connect, Ends::later), 0);
    EXPECT_EQ(head.method, "GET");
    EXPECT_TRUE(head.wants_upgrade);
    EXPECT_EQ(head.fields.find(FieldId::upgrade), "websocket");
    EXPECT_EQ(head.fields.find(FieldId::sec_websocket_version), "13");
    EXPECT_EQ(head.fields.count(FieldId::sec_websocket_key), 1u);
    EXPECT_EQ(head.fields.find(FieldId::sec_websocket_key), reader.websocket_key());
    EXPECT_EQ(reader.websocket_key().size(), 24u);
    EXPECT_EQ(read(connect, Ends::here), 400);
    EXPECT_EQ(read(with(get_with(0, "CONNECT"), {{":protocol", "masque"}}), Ends::later), 501);
}

TEST_F(Http2HeadReaderTest, KeepsNoTrailersThatMayNotStandThere) {
    reader.begin(Http2HeadReader::Section::trailer);
    EXPECT_TRUE(reader.add("x-sum", "1") && reader.add("content-length", "5") && reader.add("x_real_ip", "::1") && reader.add("cookie", "a=1"));
    const FieldSection trailers = reader.take_trailers();
    ASSERT_EQ(trailers.size(), 1u);
    EXPECT_EQ(trailers[0].name, "x-sum");
}

}  // namespace
}  // namespace sallyport
