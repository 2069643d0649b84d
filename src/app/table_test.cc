#include "app/table.h"

#include <gtest/gtest.h>

namespace sallyport::app {
namespace {

TEST(Table, PadsColumnsToTheirWidestCell) {
    Table table({"NAME", "STATE"});
    table.add({"home", "online"});
    table.add({"grünes-haus", "offline"});
    EXPECT_EQ(table.text(),
              "NAME         STATE\n"
              "home         online\n"
              "grünes-haus  offline\n");
}

TEST(Table, LetsNothingMoveTheCursor) {
    EXPECT_EQ(printable("a\x1b[31mb\r\n\tc\x7f"), "a?[31mb???c?");
    EXPECT_EQ(printable("\xc2\x9b"
                        "31m"),
              "?31m")
        << "CSI as C1";
    EXPECT_EQ(printable("für \xe2\x82\xac"), "für \xe2\x82\xac");
}

}  // namespace
}  // namespace sallyport::app
