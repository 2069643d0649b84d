#include "edge/bounded_lines.h"

#include <gtest/gtest.h>

namespace sallyport {
namespace {

TEST(BoundedLines, LetsSoManyThroughAndTellsTheRest) {
    Loop loop;
    Log log(LogLevel::info, LogFormat::key_value);
    testing::internal::CaptureStderr();
    {
        BoundedLines lines(loop, log, "access", 3);
        int admitted = 0;
        for (int i = 0; i < 10; ++i) admitted += lines.admit();
        EXPECT_EQ(admitted, 3);
    }
    EXPECT_NE(testing::internal::GetCapturedStderr().find("event=access.suppressed lines=7"), std::string::npos);
}

}  // namespace
}  // namespace sallyport
