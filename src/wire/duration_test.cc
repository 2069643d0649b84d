#include "wire/duration.h"

#include <gtest/gtest.h>

#include <vector>

namespace sallyport {
namespace {

TEST(Duration, ReadsGoSyntax) {
    struct Row {
        const char* in;
        std::int64_t nanoseconds;  // -1: refused
        const char* formatted = nullptr;
    };
    const std::vector<Row> rows = {
        {"0", 0, "0s"},
        {"0s", 0, "0s"},
        {"1ns", 1, "1ns"},
        {"1500ns", 1'500, "1.5\xc2\xb5s"},
        {"1us", 1'000, "1\xc2\xb5s"},
        {"1\xc2\xb5s", 1'000},
        {"1\xce\xbcs", 1'000},
        {"500ms", 500'000'000, "500ms"},
        {"1.5s", 1'500'000'000, "1.5s"},
        {".5s", 500'000'000, "500ms"},
        {"1.s", 1'000'000'000, "1s"},
        {"+5s", 5'000'000'000, "5s"},
        {"30s", 30'000'000'000, "30s"},
        {"1m", 60'000'000'000, "1m0s"},
        {"1m30s", 90'000'000'000, "1m30s"},
        {"90s", 90'000'000'000, "1m30s"},
        {"1h", 3'600'000'000'000, "1h0m0s"},
        {"1h0.25m", 3'615'000'000'000, "1h0m15s"},
        {"2562047h47m16.854775807s", 9'223'372'036'854'775'807, "2562047h47m16.854775807s"},
        {"0.3333333333333333333h", 1'200'000'000'000 - 1},
        {"2562047h47m16.854775808s", -1},
        {"9999999999999999999s", -1},
        {"", -1},
        {"1", -1},
        {"s", -1},
        {".s", -1},
        {"1x", -1},
        {"1S", -1},
        {"1d", -1},
        {"1 s", -1},
        {" 1s", -1},
        {"1s ", -1},
        {"-5s", -1},
        {"+", -1},
        {"1m30", -1},
        {"0x5s", -1},
        {"1,5s", -1},
    };
    for (const Row& row : rows) {
        const auto duration = parse_duration(row.in);
        EXPECT_EQ(duration ? duration->count() : -1, row.nanoseconds) << row.in;
        if (!duration) {
            EXPECT_EQ(duration.error().code, Errc::invalid_argument);
            continue;
        }
        if (row.formatted) EXPECT_EQ(format_duration(*duration), row.formatted);
        EXPECT_EQ(parse_duration(format_duration(*duration)), *duration) << row.in;
    }
}

TEST(Duration, SaysWhatToWrite) {
    EXPECT_EQ(parse_duration("30").error().detail,
              "\"30\" is no duration: a unit is missing (write 30s, 1m30s or 500ms)");
}

}  // namespace
}  // namespace sallyport
