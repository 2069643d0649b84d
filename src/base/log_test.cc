#include "base/log.h"

#include <gtest/gtest.h>

namespace sallyport {

TEST(Log, WritesAnEventAsKeyValue) {
    EXPECT_EQ(format_event(LogFormat::key_value, "info", "tunnel.closed", {{"agent", "home"}, {"age_s", 12}}),
              "level=info event=tunnel.closed agent=home age_s=12");
}

TEST(Log, QuotesAndEscapesWhatAPeerChose) {
    EXPECT_EQ(format_event(LogFormat::key_value, "info", "e", {{"v", "a b\n\x1b[31m\"="}}),
              "level=info event=e v=\"a b\\u000a\\u001b[31m\\\"=\"");
}

TEST(Log, WritesAnEventAsJson) {
    EXPECT_EQ(format_event(LogFormat::json, "warn", "e", {{"n", 3}, {"t", "x"}}),
              R"("level":"warn","event":"e","n":3,"t":"x")");
}

}  // namespace sallyport
