#include "config/suggest.h"

#include <gtest/gtest.h>

#include <vector>

namespace sallyport {

TEST(Suggest, FindsTheNameThatWasMeant) {
    const std::vector<std::string> known = {"https_listen", "http_listen", "log_level", "pin", "secret"};
    const struct {
        std::string_view typed, nearest;
    } rows[] = {{"htps_listen", "https_listen"}, {"https-listen", "https_listen"}, {"HTTP_LISTEN", "http_listen"},
                {"loglevel", "log_level"},       {"scret", "secret"},              {"pni", "pin"},
                {"pin", "pin"},                  {"port", ""},                     {"", ""},
                {"colour", ""},                  {"http_bind", ""}};
    for (const auto& row : rows) EXPECT_EQ(nearest_name(row.typed, known), row.nearest) << row.typed;
    EXPECT_EQ(nearest_name(std::string(100'000, 'x'), known), "");
    EXPECT_EQ(nearest_name("pin", {}), "");
}

}  // namespace sallyport
