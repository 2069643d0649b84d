#include "edge/content_reader.h"

#include <gtest/gtest.h>

namespace sallyport {
namespace {

struct Read {
    std::string content;
    std::string rest;
    bool done = false;
    bool broken = false;
    bool operator==(const Read&) const = default;
};

// Feeds the two parts, each piece taken in bites of at most `bite`.
Read read(const Framing& framing, std::string_view first, std::string_view second, std::size_t bite) {
    ContentReader reader;
    reader.start(framing);
    ReceivedOctets in;
    Read out;
    for (const std::string_view part : {first, second}) {
        const std::string copy(part);
        in.hold(as_octets(copy));
        while (!reader.done()) {
            const Result<Octets> piece = reader.next(in);
            if (!piece) {
                out.broken = true;
                return out;
            }
            if (piece->empty()) break;
            const std::size_t count = std::min(bite, piece->size());
            out.content += as_text(piece->first(count));
            reader.took(in, count);
        }
        in.keep_rest();
    }
    out.rest = in.text();
    out.done = reader.done();
    return out;
}

TEST(ContentReader, TakesTheSameHoweverItIsCut) {
    using enum Framing::Kind;
    struct Row {
        Framing framing;
        std::string_view in;
        Read expected;
    };
    const Row rows[] = {
        {{none, 0}, "next", {"", "next", true, false}},
        {{content_length, 0}, "next", {"", "next", true, false}},
        {{content_length, 5}, "hellonext", {"hello", "next", true, false}},
        {{content_length, 9}, "hello", {"hello", "", false, false}},
        {{until_close, 0}, "hello", {"hello", "", false, false}},
        {{chunked, 0}, "3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nT: 1\r\n\r\nnext", {"abcde", "next", true, false}},
        {{chunked, 0}, "3\r\nabc\r\n", {"abc", "", false, false}},
    };
    for (const Row& row : rows)
        for (std::size_t cut = 0; cut <= row.in.size(); ++cut)
            for (const std::size_t bite : {1, 2, 100})
                EXPECT_EQ(read(row.framing, row.in.substr(0, cut), row.in.substr(cut), bite), row.expected) << row.in << " cut at " << cut;
}

TEST(ContentReader, RefusesBrokenChunks) {
    EXPECT_TRUE(read({Framing::Kind::chunked, 0}, "3\r\nabcd\r\n", "", 100).broken);
}

TEST(ContentReader, KnowsWhatAnEndMeans) {
    ContentReader reader;
    reader.start({Framing::Kind::until_close, 0});
    EXPECT_TRUE(reader.end_of_input());
    EXPECT_TRUE(reader.done());
    reader.start({Framing::Kind::content_length, 1});
    EXPECT_EQ(reader.end_of_input().error().code, Errc::end_of_stream);
    reader.start({Framing::Kind::chunked, 0});
    EXPECT_FALSE(reader.end_of_input());
    reader.start({});
    EXPECT_TRUE(reader.end_of_input());
}

}  // namespace
}  // namespace sallyport
