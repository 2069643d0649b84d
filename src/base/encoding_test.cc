#include "base/encoding.h"

#include <gtest/gtest.h>

namespace sallyport {

TEST(Encoding, Base64urlHasNoPaddingAndComesBack) {
    for (const std::string text : {"", "f", "fo", "foo", "foob", "\xff\xfe\xfd"}) {
        EXPECT_EQ(from_base64url(to_base64url(as_octets(text))).value(), text);
        EXPECT_EQ(from_base64(to_base64(as_octets(text))).value(), text);
    }
    EXPECT_EQ(to_base64url(as_octets("\xff\xef")), "_-8");
    EXPECT_EQ(to_base64(as_octets("fo")), "Zm8=");
}

TEST(Encoding, RefusesWhatNoEncoderWrites) {
    for (const auto* text : {"A", "Zm8=", "Zm9", "Z m8", "+/+/"}) EXPECT_FALSE(from_base64url(text)) << text;
    for (const auto* text : {"Zm8", "Zm9=", "===="}) EXPECT_FALSE(from_base64(text)) << text;
}

TEST(Encoding, HexIsLowerCase) { EXPECT_EQ(to_hex(as_octets("\x01\xab")), "01ab"); }

}  // namespace sallyport
