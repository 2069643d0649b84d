#include "wire/websocket_frame.h"

#include <gtest/gtest.h>

#include <vector>

namespace sallyport {
namespace {

using Kind = WebSocketDecoder::Step::Kind;

std::string hex(std::string_view text) {
    std::string out;
    int digits = 0, value = 0;
    for (const char c : text) {
        if (c == ' ') continue;
        value = value * 16 + (c <= '9' ? c - '0' : c - 'a' + 10);
        if (++digits % 2 == 0) out += static_cast<char>(std::exchange(value, 0));
    }
    return out;
}

// Events as text. Pieces of one message are joined, so that the text does not depend on where the input was cut.
void feed(WebSocketDecoder& decoder, std::string in, std::string& out) {
    MutableOctets rest = std::as_writable_bytes(std::span(in));
    while (!rest.empty()) {
        const auto step = decoder.feed(rest);
        if (!step) {
            out += "!" + std::string(name_of(step.error().code));
            return;
        }
        rest = rest.subspan(step->consumed);
        const std::string_view payload = as_text(step->payload);
        switch (step->kind) {
            case Kind::need_more: EXPECT_TRUE(rest.empty()); break;
            case Kind::data:
                if (step->message_begin) out += step->opcode == WebSocketOpcode::text ? "text(" : "binary(";
                out += payload;
                if (step->message_end) out += ")";
                break;
            case Kind::ping: (out += "ping(") += std::string(payload) + ")"; break;
            case Kind::pong: (out += "pong(") += std::string(payload) + ")"; break;
            case Kind::close: (out += "close(") += std::to_string(payload.size()) + ")"; break;
        }
    }
}

std::string decode_however_cut(WebSocketRole role, const std::string& in, std::uint64_t max_message = 1000) {
    std::string expected;
    WebSocketDecoder whole(role, max_message);
    feed(whole, in, expected);
    for (std::size_t cut = 0; cut <= in.size(); ++cut) {
        WebSocketDecoder decoder(role, max_message);
        std::string got;
        feed(decoder, in.substr(0, cut), got);
        if (got.find('!') == std::string::npos) feed(decoder, in.substr(cut), got);
        EXPECT_EQ(got, expected) << "cut at " << cut;
    }
    return expected;
}

TEST(WebSocketFrame, Decodes) {
    struct Row {
        const char* name;
        WebSocketRole role;
        const char* in;
        const char* want;
    };
    constexpr auto client = WebSocketRole::client;
    constexpr auto server = WebSocketRole::server;
    const std::vector<Row> rows = {
        {"unmasked text (RFC 6455 5.7)", client, "81 05 48656c6c6f", "text(Hello)"},
        {"masked text (RFC 6455 5.7)", server, "81 85 37fa213d 7f9f4d5158", "text(Hello)"},
        {"fragments (RFC 6455 5.7)", client, "01 03 48656c 80 02 6c6f", "text(Hello)"},
        {"unmasked ping (RFC 6455 5.7)", client, "89 05 48656c6c6f", "ping(Hello)"},
        {"masked pong (RFC 6455 5.7)", server, "8a 85 37fa213d 7f9f4d5158", "pong(Hello)"},
        {"16-bit length", client,
         "82 7e 0080 "
         "3030303030303030303030303030303030303030303030303030303030303030303030303030303030303030303030303030303030303"
         "0303030303030303030"
         "3030303030303030303030303030303030303030303030303030303030303030303030303030303030303030303030303030303030303"
         "0303030303030303030",
         "binary("
         "0000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000"
         "0000000000000000000)"},
        {"empty message", client, "82 00", "binary()"},
        {"empty first and last fragment", client, "02 00 00 01 61 80 00", "binary(a)"},
        {"ping between fragments", client, "02 01 61 89 01 70 80 01 62", "binary(aping(p)b)"},
        {"empty ping", client, "89 00", "ping()"},
        {"close, then anything", client, "88 02 03e8 ffff", "close(2)"},
        {"two messages", client, "82 01 61 82 01 62", "binary(a)binary(b)"},
        {"server gets no mask", server, "82 01 61", "!protocol"},
        {"client gets a mask", client, "82 81 00000000 61", "!protocol"},
        {"reserved bit", client, "c2 01 61", "!protocol"},
        {"unknown data opcode", client, "83 00", "!protocol"},
        {"unknown control opcode", client, "8b 00", "!protocol"},
        {"continuation of nothing", client, "80 01 61", "!protocol"},
        {"message inside a message", client, "02 01 61 82 01 62", "binary(a!protocol"},
        {"ping in fragments", client, "09 01 61", "!protocol"},
        {"ping of 126 octets", client, "89 7e 007e", "!protocol"},
        {"length not the shortest, 16 bits", client, "82 7e 007d", "!protocol"},
        {"length not the shortest, 64 bits", client, "82 7f 000000000000ffff", "!protocol"},
        {"length of 2^63", client, "82 7f 8000000000000000", "!protocol"},
        {"message above the bound", client, "82 7e 03e9", "!too_large"},
        {"fragments above the bound", client, "02 01 61 00 7e 03e8", "binary(a!too_large"},
    };
    for (const Row& row : rows) {
        SCOPED_TRACE(row.name);
        EXPECT_EQ(decode_however_cut(row.role, hex(row.in)), row.want);
    }
}

TEST(WebSocketFrame, DecodesWhatItWrites) {
    const MaskingKey key{std::byte{1}, std::byte{0x80}, std::byte{0xff}, std::byte{7}};
    for (const std::size_t size : {0u, 1u, 125u, 126u, 127u, 65535u, 65536u, 70000u}) {
        for (const bool masked : {false, true}) {
            std::string payload(size, '\0');
            for (std::size_t i = 0; i < size; ++i) payload[i] = static_cast<char>('a' + i % 26);
            std::string sent = payload;
            MutableOctets octets = std::as_writable_bytes(std::span(sent));
            if (masked) mask_octets(octets.data(), octets.data(), size, key);
            const auto header =
                write_websocket_header(WebSocketOpcode::binary, size, masked ? std::optional(key) : std::nullopt);
            std::string out;
            WebSocketDecoder decoder(masked ? WebSocketRole::server : WebSocketRole::client, 1 << 20);
            feed(decoder, std::string(as_text(header.view())) + sent, out);
            EXPECT_EQ(out, "binary(" + payload + ")");
        }
    }
}

TEST(WebSocketFrame, MasksFromAnyOffset) {
    const MaskingKey key{std::byte{0x11}, std::byte{0x22}, std::byte{0x44}, std::byte{0x88}};
    std::vector<std::byte> plain(200), expected(200);
    for (std::size_t i = 0; i < plain.size(); ++i) {
        plain[i] = static_cast<std::byte>(i * 37);
        expected[i] = plain[i] ^ key[i % 4];
    }
    for (std::size_t cut = 0; cut <= plain.size(); ++cut) {
        std::vector<std::byte> got(plain.size());
        mask_octets(got.data(), plain.data(), cut, key, 0);
        mask_octets(got.data() + cut, plain.data() + cut, plain.size() - cut, key, cut);
        EXPECT_EQ(got, expected) << cut;
    }
}

TEST(WebSocketFrame, ReadsAndWritesClose) {
    const std::string payload = format_websocket_close(1001, std::string(200, 'r'));
    EXPECT_EQ(payload.size(), 125u);
    const auto close = parse_websocket_close(as_octets(payload));
    EXPECT_EQ(close->code, 1001);
    EXPECT_EQ(close->reason.size(), 123u);
    EXPECT_EQ(parse_websocket_close({})->code, 1005);
    for (const auto* bad : {"03", "03e7", "03ed", "03ee", "03f7", "0b00", "1388"})
        EXPECT_FALSE(parse_websocket_close(as_octets(hex(bad)))) << bad;
    for (const auto* good : {"03e8", "03f6", "0bb8", "1387"})
        EXPECT_TRUE(parse_websocket_close(as_octets(hex(good)))) << good;
}

}  // namespace
}  // namespace sallyport
