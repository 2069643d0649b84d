#include "wire/pipe_frame.h"

#include <gtest/gtest.h>

#include <vector>

namespace sallyport {
namespace {

using Kind = PipeEvent::Kind;

void feed(PipeDecoder& decoder, std::string_view piece, MessagePart part, std::string& out) {
    if (out.find('!') != std::string::npos) return;
    const auto event = decoder.feed(as_octets(piece), part);
    if (!event) {
        out += "!" + std::string(name_of(event.error().code));
        return;
    }
    switch (event->kind) {
        case Kind::none: break;
        case Kind::data: out += as_text(event->data); break;
        case Kind::ack: out += "ack " + std::to_string(event->value); break;
        case Kind::ping: out += "ping " + std::to_string(event->value); break;
        case Kind::pong: out += "pong " + std::to_string(event->value); break;
    }
}

std::string decode_however_cut(const std::string& message) {
    std::string expected;
    PipeDecoder whole;
    feed(whole, message, {true, true}, expected);
    for (std::size_t cut = 0; cut <= message.size(); ++cut) {
        PipeDecoder decoder;
        std::string got;
        feed(decoder, message.substr(0, cut), {true, false}, got);
        feed(decoder, message.substr(cut), {false, true}, got);
        EXPECT_EQ(got, expected) << "cut at " << cut;
        if (got.find('!') == std::string::npos) {
            std::string next;
            feed(decoder, std::string("\0next", 5), {true, true}, next);
            EXPECT_EQ(next, "next") << "the message behind it";
        }
    }
    return expected;
}

TEST(PipeFrame, Decodes) {
    const auto octets = [](PipeFrameType type, std::uint64_t value) {
        return std::string(as_text(write_pipe_frame(type, value)));
    };
    struct Row {
        const char* name;
        std::string in;
        std::string want;
    };
    const std::vector<Row> rows = {
        {"DATA", std::string("\0hello", 6), "hello"},
        {"DATA, empty", std::string(1, '\0'), ""},
        {"ACK", std::string("\1\0\0\0\0\0\1\0\0", 9), "ack 65536"},
        {"PING", octets(PipeFrameType::ping, 0x0102030405060708), "ping 72623859790382856"},
        {"PONG", octets(PipeFrameType::pong, ~std::uint64_t{0}), "pong 18446744073709551615"},
        {"ACK too short", std::string("\1\0\0\0\0\0\1\0", 8), "!protocol"},
        {"ACK too long", std::string("\1\0\0\0\0\0\1\0\0\0", 10), "!protocol"},
        {"PING without value", "\2", "!protocol"},
        {"unknown", "\7whatever", ""},
        {"empty message", "", "!protocol"},
    };
    for (const Row& row : rows) {
        SCOPED_TRACE(row.name);
        EXPECT_EQ(decode_however_cut(row.in), row.want);
    }
}

TEST(PipeFrame, BoundsUnknownFrames) {
    PipeDecoder decoder;
    const std::string piece(40'000, 'x');
    EXPECT_TRUE(decoder.feed(as_octets(piece), {true, false}));
    const auto result = decoder.feed(as_octets(piece), {false, false});
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code, Errc::too_large);
}

TEST(PipeFrame, RefusesPiecesOutOfOrder) {
    PipeDecoder decoder;
    EXPECT_FALSE(decoder.feed(as_octets("x"), {false, false}));
    EXPECT_TRUE(decoder.feed(as_octets("x"), {true, false}));
    EXPECT_FALSE(decoder.feed(as_octets("x"), {true, false}));
}

}  // namespace
}  // namespace sallyport
