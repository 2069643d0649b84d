#include "wire/http_answer_reader.h"

#include <gtest/gtest.h>

#include <optional>

namespace sallyport {
namespace {

struct Row {
    const char* what;
    std::string octets;
    bool ends;  // the origin closes behind them
    int status;
    std::string content;
    std::optional<Errc> error;
};

std::vector<Row> rows() {
    return {
        {"counted", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", false, 200, "hello", {}},
        {"no content", "HTTP/1.1 204 No Content\r\n\r\n", false, 204, "", {}},
        {"empty content", "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", false, 404, "", {}},
        {"chunked",
         "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n",
         false,
         200,
         "hello",
         {}},
        {"until close", "HTTP/1.0 200 OK\r\n\r\nhello", true, 200, "hello", {}},
        {"an interim answer first",
         "HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
         false,
         200,
         "ok",
         {}},
        {"cut short", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello", true, 0, "", Errc::end_of_stream},
        {"cut in the head", "HTTP/1.1 200 OK\r\nConte", true, 0, "", Errc::end_of_stream},
        {"no HTTP", "SSH-2.0-OpenSSH_9.2\r\n", false, 0, "", Errc::protocol},
        {"two lengths", "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", false, 0, "",
         Errc::protocol},
        {"a bad chunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n", false, 0, "", Errc::protocol},
        {"an endless head", "HTTP/1.1 200 OK\r\nX: " + std::string(20'000, 'x'), false, 0, "", Errc::too_large},
    };
}

void check(const Row& row, std::size_t cut) {
    HttpAnswerReader reader;
    const std::string_view octets = row.octets;
    Result<bool> done = false;
    for (const std::string_view piece : {octets.substr(0, cut), octets.substr(cut)})
        if (done && !*done) done = reader.feed(as_octets(piece));
    std::optional<Errc> error;
    if (!done)
        error = done.error().code;
    else if (row.ends && !*done) {
        if (const auto ended = reader.end(); !ended) error = ended.error().code;
    } else
        EXPECT_TRUE(*done) << row.what << " cut at " << cut;
    EXPECT_EQ(error, row.error) << row.what << " cut at " << cut;
    if (row.error) return;
    EXPECT_EQ(reader.answer().status, row.status) << row.what << " cut at " << cut;
    EXPECT_EQ(reader.answer().content, row.content) << row.what << " cut at " << cut;
    EXPECT_TRUE(reader.answer().complete) << row.what << " cut at " << cut;
}

TEST(HttpAnswerReader, ReadsTheSameHoweverItIsCut) {
    for (const Row& row : rows()) {
        const std::size_t step = row.octets.size() > 1000 ? 997 : 1;
        for (std::size_t cut = 0; cut <= row.octets.size(); cut += step) check(row, cut);
    }
}

TEST(HttpAnswerReader, DoesntWaitForMoreContentThanItKeeps) {
    for (const std::string head :
         {"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n", "HTTP/1.1 200 OK\r\n\r\n"}) {
        HttpAnswerReader reader;
        ASSERT_FALSE(reader.feed(as_octets(head)).value());
        const std::string piece(10'000, 'x');
        int pieces = 0;
        while (!reader.feed(as_octets(piece)).value()) ASSERT_LT(++pieces, 10);
        EXPECT_EQ(reader.answer().content.size(), HttpAnswerReader::kMaxContent);
        EXPECT_FALSE(reader.answer().complete);
    }
}

}  // namespace
}  // namespace sallyport
