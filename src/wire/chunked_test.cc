#include "wire/chunked.h"

#include <gtest/gtest.h>

#include <vector>

namespace sallyport {
namespace {

struct Answer {
    std::string content;
    std::string end;  // "done", "more" or an error's name
    std::size_t consumed = 0;
    std::string trailers{};
    bool operator==(const Answer&) const = default;
};

void feed(ChunkedDecoder& decoder, std::string_view in, Answer& answer) {
    while (!in.empty()) {
        const auto step = decoder.feed(as_octets(in));
        if (!step) {
            answer.end = name_of(step.error().code);
            answer.consumed = 0;
            return;
        }
        answer.content += as_text(step->content);
        answer.consumed += step->consumed;
        if (step->done) {
            answer.end = "done";
            for (const Field& field : decoder.trailers())
                answer.trailers += std::string(field.name) + "=" + std::string(field.value) + ";";
            return;
        }
        in.remove_prefix(step->consumed);
    }
    answer.end = "more";
}

Answer decode_however_cut(const std::string& in) {
    Answer whole;
    ChunkedDecoder decoder;
    feed(decoder, in, whole);
    for (std::size_t cut = 0; cut <= in.size(); ++cut) {
        ChunkedDecoder again;
        Answer got{"", "more"};
        feed(again, std::string_view(in).substr(0, cut), got);
        if (got.end == "more") feed(again, std::string_view(in).substr(cut), got);
        EXPECT_EQ(got.end, whole.end) << cut;
        if (whole.end == "done") EXPECT_EQ(got, whole) << cut;
    }
    return whole;
}

TEST(Chunked, DecodesStrictly) {
    struct Row {
        const char* name;
        std::string in;
        Answer want;
    };
    const std::string long_extension(300, 'e');
    const std::vector<Row> rows = {
        {"empty", "0\r\n\r\n", {"", "done", 5, ""}},
        {"one", "5\r\nhello\r\n0\r\n\r\n", {"hello", "done", 15, ""}},
        {"two, hex, leading zeros", "00A\r\n0123456789\r\n1\r\nx\r\n000\r\n\r\nNEXT", {"0123456789x", "done", 30, ""}},
        {"content that looks like framing", "4\r\n\r\n\r\n\r\n0\r\n\r\n", {"\r\n\r\n", "done", 14, ""}},
        {"extensions", "1;a=b;c=\"d\"\r\nx\r\n0 ; z\r\n\r\n", {"x", "done", 25, ""}},
        {"trailers",
         "0\r\nServer-Timing: a\r\nContent-Length: 5\r\nB:\r\n\r\n",
         {"", "done", 46, "Server-Timing=a;B=;"}},
        {"cut", "5\r\nhel", {"hel", "more", 6, ""}},
        {"no size", "\r\n", {"", "protocol"}},
        {"signed", "+5\r\nhello\r\n", {"", "protocol"}},
        {"0x", "0x5\r\nhello\r\n", {"", "protocol"}},
        {"space first", " 5\r\nhello\r\n", {"", "protocol"}},
        {"size, space, size", "1 1\r\nx\r\n", {"", "protocol"}},
        {"bare LF behind the size", "5\nhello\r\n", {"", "protocol"}},
        {"CR without LF behind the size", "5\rhello\r\n", {"", "protocol"}},
        {"longer than its size", "5\r\nhellox\r\n", {"hello", "protocol"}},
        {"LF only behind the content", "5\r\nhello\n0\r\n\r\n", {"hello", "protocol"}},
        {"bare LF in an extension", "5;a\nhello\r\n", {"", "protocol"}},
        {"size above 2^63", "8000000000000000\r\n", {"", "too_large"}},
        {"size of 17 digits", "00000000000000001\r\n", {"", "too_large"}},
        {"long extension", "1;" + long_extension + "\r\nx\r\n", {"", "too_large"}},
        {"spaces without end", "1" + std::string(300, ' ') + "\r\nx\r\n", {"", "protocol"}},
        {"obs-fold in the trailer section", "0\r\nA: b\r\n c\r\n\r\n", {"", "protocol"}},
        {"bare LF in the trailer section", "0\r\nA: b\n\r\n", {"", "protocol"}},
        {"bare CR in the trailer section", "0\r\nA: b\rc\r\n\r\n", {"", "protocol"}},
        {"long trailer section", "0\r\nA: " + std::string(17'000, 'a'), {"", "too_large"}},
    };
    for (const Row& row : rows) {
        SCOPED_TRACE(row.name);
        EXPECT_EQ(decode_however_cut(row.in), row.want);
    }
}

TEST(Chunked, BoundsTrailerFields) {
    std::string in = "0\r\n";
    for (int i = 0; i < 65; ++i) in += "A: b\r\n";
    EXPECT_EQ(decode_however_cut(in + "\r\n").end, "too_large");
}

TEST(Chunked, StaysFailedAndCanBeReset) {
    ChunkedDecoder decoder;
    EXPECT_FALSE(decoder.feed(as_octets("x")));
    EXPECT_FALSE(decoder.feed(as_octets("0\r\n\r\n")));
    decoder.reset();
    EXPECT_TRUE(decoder.feed(as_octets("0\r\n\r\n"))->done);
}

TEST(Chunked, DecodesWhatItEncodes) {
    FieldSection trailers;
    trailers.add("Server-Timing", "x");
    std::string out;
    write_chunk_head(out, 26);
    out += "abcdefghijklmnopqrstuvwxyz";
    out += kChunkEnd;
    write_last_chunk(out, trailers);
    EXPECT_EQ(out, "1a\r\nabcdefghijklmnopqrstuvwxyz\r\n0\r\nServer-Timing: x\r\n\r\n");
    EXPECT_EQ(decode_however_cut(out), (Answer{"abcdefghijklmnopqrstuvwxyz", "done", out.size(), "Server-Timing=x;"}));
    out.clear();
    write_last_chunk(out, {});
    EXPECT_EQ(out, kLastChunk);
}

}  // namespace
}  // namespace sallyport
