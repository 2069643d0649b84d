#include "wire/authorization.h"

#include <gtest/gtest.h>

namespace sallyport {
namespace {

TEST(Authorization, ReadsWhatItWrites) {
    const SharedCredential credential{"device_7-x", Secret("s3cret.with:signs")};
    for (const auto& read :
         {parse_bearer(format_bearer(credential).reveal()), parse_basic(format_basic(credential).reveal()),
          parse_token(format_token(credential).reveal())}) {
        ASSERT_TRUE(read);
        EXPECT_EQ(read->id, credential.id);
        EXPECT_EQ(read->secret.reveal(), credential.secret.reveal());
    }
    EXPECT_EQ(format_bearer({"a", Secret("b")}).reveal(), "Bearer a.b");
    EXPECT_EQ(format_basic({"Aladdin", Secret("open_sesame")}).reveal(), "Basic QWxhZGRpbjpvcGVuX3Nlc2FtZQ==");
}

TEST(Authorization, RefusesTheRest) {
    for (const auto* value : {"", "Bearer", "Bearer ", "Bearer a", "Bearer .b", "Bearer a.", "Bearer a b.c",
                              "Basic a.b", "Bearerx a.b", "Bearer a.b c"})
        EXPECT_FALSE(parse_bearer(value)) << value;
    for (const auto* value :
         {"", "Basic", "Basic YQ==", "Basic Og==", "Basic YTo=", "Basic YTpi!", "Basic YTpiCg==", "Bearer YTpi"})
        EXPECT_FALSE(parse_basic(value)) << value;
    EXPECT_TRUE(parse_basic("bASIC YTpi"));
    EXPECT_FALSE(parse_bearer("Bearer " + std::string(200, 'a') + ".b"));
    EXPECT_FALSE(parse_bearer("Bearer a." + std::string(300, 'b')));
    EXPECT_EQ(parse_token("plain").error().code, Errc::invalid_argument);
}

}  // namespace
}  // namespace sallyport
