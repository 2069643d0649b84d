#include "base/password_hash.h"

#include <gtest/gtest.h>

#include "base/encoding.h"

namespace sallyport {
namespace {

constexpr std::string_view kAnyBcrypt = "$2b$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW";  // U*U, from the reference test vectors

TEST(PasswordHash, FitsTheReferenceVectors) {
    EXPECT_TRUE(password_fits("U*U", std::string(kAnyBcrypt)));
    EXPECT_FALSE(password_fits("U*U*", std::string(kAnyBcrypt)));
    EXPECT_FALSE(password_fits("", std::string(kAnyBcrypt)));
}

TEST(PasswordHash, ReadsWhatItMakes) {
    for (const auto& [scheme, cost, beginning] : {std::tuple{PasswordScheme::yescrypt, 1u, "$y$j75$"}, {PasswordScheme::bcrypt, 4u, "$2b$04$"}}) {
        const auto hash = make_password_hash(scheme, Secret("pa:ss wörd"), cost);
        ASSERT_TRUE(hash) << hash.error().detail;
        EXPECT_TRUE(hash->starts_with(beginning)) << *hash;
        const auto kept = check_password_hash(*hash);
        ASSERT_TRUE(kept) << kept.error().detail;
        EXPECT_EQ(*kept, *hash);
        EXPECT_TRUE(password_fits("pa:ss wörd", *kept));
        EXPECT_FALSE(password_fits("pa:ss word", *kept));
        EXPECT_FALSE(password_fits(std::string_view("pa:ss wörd\0x", 13), *kept));
        EXPECT_NE(*make_password_hash(scheme, Secret("pa:ss wörd"), cost), *hash);
    }
}

TEST(PasswordHash, DefaultsToAYescryptOf16MiB) {
    EXPECT_TRUE(make_password_hash(PasswordScheme::yescrypt, Secret("x"))->starts_with("$y$j9T$"));
}

TEST(PasswordHash, UnwrapsWhatCaddyWraps) {
    const auto kept = check_password_hash(to_base64(as_octets(kAnyBcrypt)));
    ASSERT_TRUE(kept);
    EXPECT_EQ(*kept, kAnyBcrypt);
    EXPECT_TRUE(check_password_hash("$2y$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW"));
}

TEST(PasswordHash, RefusesOtherAndCostlyHashesWithoutShowingThem) {
    const std::string_view rows[] = {
        "", "x", "password", "$2b$", "$2b$05$short", "$1$abcdefgh$xxxxxxxxxxxxxxxxxxxxxx", "$6$salt$hash", "{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=",
        "$2b$16$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW",  // cost
        "$2b$03$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW",
        "$2x$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW",
        "$2b$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyO:W",
        "$y$jDT$abcdefghijklmnopqrstu.$0123456789012345678901234567890123456789012",  // 256 MiB
        "$y$", "$y$j9", "$y$j9T", "$y$j9T$", "$y$j9T$$",
        "$y$j9T$$0123456789012345678901234567890123456789012",
        "$y$j9Tz$abcdefghijklmnopqrstu.$0123456789012345678901234567890123456789012",
        "$y$j9T$abcdefghijklmnopqrstu.$012",
    };
    for (const std::string_view row : rows) {
        const auto kept = check_password_hash(row);
        ASSERT_FALSE(kept) << row;
        if (row.size() > 20) EXPECT_EQ(kept.error().detail.find(row.substr(7)), std::string::npos);
    }
}

TEST(PasswordHash, MakesNoneThatCouldNotBeTypedAgain) {
    EXPECT_FALSE(make_password_hash(PasswordScheme::yescrypt, Secret("")));
    EXPECT_FALSE(make_password_hash(PasswordScheme::bcrypt, Secret(std::string(73, 'x')), 4));
    EXPECT_FALSE(make_password_hash(PasswordScheme::yescrypt, Secret(std::string(512, 'x')), 1));
    EXPECT_FALSE(make_password_hash(PasswordScheme::yescrypt, Secret(std::string("a\0b", 3)), 1));
    EXPECT_FALSE(make_password_hash(PasswordScheme::bcrypt, Secret("x"), 16));
    EXPECT_FALSE(make_password_hash(PasswordScheme::yescrypt, Secret("x"), 9));
}

}  // namespace
}  // namespace sallyport
