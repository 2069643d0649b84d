#include "wire/byte_size.h"

#include <gtest/gtest.h>

namespace sallyport {
namespace {

TEST(ByteSize, ReadsAndWrites) {
    struct Row {
        std::string_view text;
        ByteCount octets;
        std::string_view shown;
    };
    const Row rows[] = {
        {"0", 0, "0B"}, {"1", 1, "1B"}, {"1023B", 1023, "1023B"}, {"1024", 1024, "1KiB"}, {"64KiB", 65536, "64KiB"},
        {"100MiB", 100_MiB, "100MiB"}, {"1536MiB", 1536_MiB, "1536MiB"}, {"2048MiB", 2_GiB, "2GiB"}, {"3TiB", 3072_GiB, "3TiB"},
    };
    for (const Row& row : rows) {
        const auto parsed = parse_byte_size(row.text);
        ASSERT_TRUE(parsed) << row.text;
        EXPECT_EQ(*parsed, row.octets) << row.text;
        EXPECT_EQ(format_byte_size(*parsed), row.shown) << row.text;
        EXPECT_EQ(*parse_byte_size(row.shown), row.octets);
    }
}

TEST(ByteSize, RefusesWhatMeansTwoThingsOrNothing) {
    for (const std::string_view text : {"", "MiB", "-1", "+1", " 1", "1 ", "1.5GiB", "100MB", "100M", "1mib", "18446744073709551616", "20000000TiB", "0x10"})
        EXPECT_FALSE(parse_byte_size(text)) << text;
}

}  // namespace
}  // namespace sallyport
