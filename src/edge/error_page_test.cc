#include "edge/error_page.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "edge/http_date.h"

namespace sallyport {
namespace {

using testing::HasSubstr;
using testing::Not;

TEST(ErrorPage, ChoosesTheFormatByAccept) {
    struct Row {
        const char* accept;
        PageFormat format;
    };
    const Row rows[] = {
        {"text/html,application/xhtml+xml,*/*;q=0.8", PageFormat::html},
        {"application/json", PageFormat::json},
        {"application/problem+json, text/html", PageFormat::json},
        {"text/html, application/json", PageFormat::html},
        {"text/html;q=0.5, application/json", PageFormat::json},
        {"text/html, application/json;q=0.5", PageFormat::html},
        {"application/json;q=0, */*", PageFormat::html},
        {"application/json, text/plain, */*", PageFormat::json},
        {"*/*", PageFormat::html},
        {"", PageFormat::html},
    };
    for (const Row& row : rows) {
        FieldSection fields;
        fields.add("Accept", row.accept);
        EXPECT_EQ(choose_page_format(fields), row.format) << row.accept;
    }
    EXPECT_EQ(choose_page_format({}), PageFormat::html);
}

TEST(ErrorPage, IsSmallSelfContainedAndEscaped) {
    const Problem nasty{503, Hop::agent, "x", "<b>\"'&", "<script>alert(1)</script>", 7};
    std::string page;
    write_error_page(page, PageFormat::html, nasty, "id<>");
    EXPECT_LT(page.size(), 4096u);
    EXPECT_THAT(page, Not(HasSubstr("<script")));
    EXPECT_THAT(page, Not(HasSubstr("<b>")));
    EXPECT_THAT(page, HasSubstr("id&lt;&gt;"));
    EXPECT_THAT(page, HasSubstr("prefers-color-scheme:dark"));
    EXPECT_THAT(page, HasSubstr("aria-current"));
    page.clear();
    write_error_page(page, PageFormat::json, {502, Hop::origin, "x", "a\"b\\c", "d\n"}, "id");
    EXPECT_EQ(page, "{\"error\":{\"id\":\"id\",\"status\":502,\"hop\":\"origin\",\"title\":\"a\\\"b\\\\c\",\"detail\":\"d \"}}\n");
}

TEST(ErrorPage, IdsDiffer) { EXPECT_NE(make_error_id(), make_error_id()); }

TEST(HttpDate, IsWrittenAsInRfc9110) {
    EXPECT_EQ(format_http_date(WallTime(std::chrono::seconds(784111777))), "Sun, 06 Nov 1994 08:49:37 GMT");
}

}  // namespace
}  // namespace sallyport
