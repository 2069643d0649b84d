#include "wire/control_message.h"

#include <gtest/gtest.h>

#include <vector>

#include "wire/line_reader.h"
#include "wire/utf8.h"

namespace sallyport {
namespace {

TEST(ControlMessage, ReadsWhatItWrites) {
    using namespace std::chrono_literals;
    const TargetReport home{"homeassistant",           "http",          ForwardedForSupport::refused, true, true,
                            "set use_x_forwarded_for", "127.0.0.1:8123"};
    const std::vector<ControlMessage> messages = {
        HelloMessage{"0.1.0", 100, 30s, {home, {"nas", "https", ForwardedForSupport::unknown, false, false, ""}}},
        TargetsMessage{{home}},
        TargetsMessage{},
        RoutesMessage{{{"https://home.example.org/", "homeassistant"}}},
        DrainMessage{"restart", 5s},
        RotatedMessage{"rotated by the owner", 0s},
        UnknownMessage{"of_the_future"},
    };
    for (const ControlMessage& message : messages) {
        const std::string line = format_control_message(message);
        ASSERT_TRUE(line.ends_with('\n'));
        const auto read = parse_control_message(std::string_view(line).substr(0, line.size() - 1));
        ASSERT_TRUE(read) << line;
        EXPECT_EQ(*read, message) << line;
    }
    EXPECT_EQ(format_control_message(DrainMessage{"a\nb", 5ms}),
              "{\"kind\":\"drain\",\"reason\":\"a\\nb\",\"deadline_ms\":5}\n");
}

TEST(ControlMessage, IgnoresWhatItDoesNotKnow) {
    const auto read = parse_control_message(
        R"({"kind":"hello","version":"9","new":{"a":[1]},"targets":[{"name":"a","forwarded_for":"maybe","x":1}]})");
    ASSERT_TRUE(read);
    EXPECT_EQ(*read,
              ControlMessage(HelloMessage{
                  "9", 100, std::chrono::seconds(30), {{"a", "", ForwardedForSupport::unknown, false, false, ""}}}));
}

TEST(ControlMessage, RefusesTheRest) {
    struct Row {
        const char* name;
        std::string in;
        Errc want;
    };
    std::string many = R"({"kind":"targets","targets":[)";
    for (int i = 0; i < 257; ++i) many += i ? ",{}" : "{}";
    many += "]}";
    const std::vector<Row> rows = {
        {"empty", "", Errc::protocol},
        {"no JSON", "hello", Errc::protocol},
        {"no object", "[1]", Errc::protocol},
        {"two values", "{\"kind\":\"drain\"}{}", Errc::protocol},
        {"no kind", "{}", Errc::protocol},
        {"kind of another type", "{\"kind\":1}", Errc::protocol},
        {"member of another type", "{\"kind\":\"hello\",\"version\":1}", Errc::protocol},
        {"negative number", "{\"kind\":\"hello\",\"concurrency_limit\":-1}", Errc::protocol},
        {"fraction", "{\"kind\":\"hello\",\"concurrency_limit\":1.5}", Errc::protocol},
        {"list of another type", "{\"kind\":\"routes\",\"routes\":{}}", Errc::protocol},
        {"entry of another type", "{\"kind\":\"routes\",\"routes\":[1]}", Errc::protocol},
        {"entry's member of another type", "{\"kind\":\"routes\",\"routes\":[{\"url\":1}]}", Errc::protocol},
        {"no UTF-8", "{\"kind\":\"\xff\"}", Errc::protocol},
        {"deep", "{\"kind\":\"x\",\"y\":" + std::string(100, '[') + std::string(100, ']') + "}", Errc::protocol},
        {"too many entries", many, Errc::too_large},
        {"too long", "{\"kind\":\"" + std::string(70'000, 'a') + "\"}", Errc::too_large},
    };
    for (const Row& row : rows) {
        const auto read = parse_control_message(row.in);
        ASSERT_FALSE(read) << row.name;
        EXPECT_EQ(read.error().code, row.want) << row.name;
    }
}

TEST(ControlMessage, BoundsStringsAndNumbers) {
    const auto read = parse_control_message("{\"kind\":\"hello\",\"version\":\"" + std::string(300, 'v') +
                                            "\",\"concurrency_limit\":0,\"request_timeout_ms\":99999999999}");
    ASSERT_TRUE(read);
    const auto& hello = std::get<HelloMessage>(*read);
    EXPECT_EQ(hello.version.size(), 256u);
    EXPECT_EQ(hello.concurrency_limit, 1u);
    EXPECT_EQ(hello.request_timeout, std::chrono::hours(24));
    const std::string line = format_control_message(DrainMessage{"\xff" + std::string(300, 'a'), {}});
    EXPECT_TRUE(parse_control_message(std::string_view(line).substr(0, line.size() - 1)));
}

TEST(Utf8, BoundsWithoutCuttingACharacter) {
    EXPECT_EQ(bounded_utf8("aé", 2), "a");
    EXPECT_EQ(bounded_utf8("aé", 3), "aé");
    EXPECT_EQ(bounded_utf8("\xf0\x9f\x8f\xb0\xe2\x82\xac", 7), "\xf0\x9f\x8f\xb0\xe2\x82\xac");
    for (const auto* bad : {"\x80", "\xc0\xaf", "\xe0\x80\xaf", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xf8", "\xe2\x82"})
        EXPECT_EQ(bounded_utf8(bad, 9).find_first_not_of('?'), std::string::npos) << bad;
}

TEST(LineReader, CutsLinesHoweverTheyArrive) {
    const std::string in = "one\n\ntwo\nthree";
    for (std::size_t cut = 0; cut <= in.size(); ++cut) {
        LineReader reader(5);
        std::string seen;
        const auto on_line = [&](std::string_view line) -> Result<> {
            (seen += line) += '|';
            return {};
        };
        EXPECT_TRUE(reader.feed(in.substr(0, cut), on_line));
        EXPECT_TRUE(reader.feed(in.substr(cut), on_line));
        EXPECT_EQ(seen, "one||two|");
        EXPECT_TRUE(reader.in_line());
    }
}

TEST(LineReader, BoundsLinesAndStopsAtAnError) {
    LineReader reader(5);
    int lines = 0;
    const auto count = [&](std::string_view) -> Result<> { return ++lines, Result<>{}; };
    EXPECT_TRUE(reader.feed("12345\n", count));
    EXPECT_EQ(reader.feed("123456\n", count).error().code, Errc::too_large);
    LineReader pieces(5);
    EXPECT_TRUE(pieces.feed("123", count));
    EXPECT_EQ(pieces.feed("456", count).error().code, Errc::too_large);
    LineReader refusing;
    EXPECT_EQ(refusing.feed("a\nb\n", [](std::string_view) -> Result<> { return fail(Errc::protocol); }).error().code,
              Errc::protocol);
    EXPECT_EQ(lines, 1);
}

}  // namespace
}  // namespace sallyport
