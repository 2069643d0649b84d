#include "net/certificate.h"

#include <gtest/gtest.h>

namespace sallyport {
namespace {

TEST(Certificate, SaysFromWhenUntilWhenItIsValid) {
    const auto made = make_self_signed(KeyType::p256, {"home.example.org"});
    ASSERT_TRUE(made);
    const auto times = times_of_certificate(made->chain_pem);
    ASSERT_TRUE(times);
    EXPECT_LT(times->from, wall_now());
    EXPECT_GT(times->until, wall_now() + std::chrono::hours(24 * 3000));
    EXPECT_FALSE(times_of_certificate("no certificate"));
}

TEST(Certificate, CoversItsNamesAndOneLabelOfAWildcard) {
    const std::vector<std::string> names{"example.org", "*.example.org"};
    for (const char* host : {"example.org", "home.example.org", "*.example.org"}) EXPECT_TRUE(names_cover(names, host)) << host;
    for (const char* host : {"a.home.example.org", "example.com", "org", ".example.org", "*.home.example.org", "homeexample.org"})
        EXPECT_FALSE(names_cover(names, host)) << host;
    EXPECT_FALSE(names_cover({}, "example.org"));
}

}  // namespace
}  // namespace sallyport
