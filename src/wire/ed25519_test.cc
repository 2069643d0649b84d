#include "wire/ed25519.h"

#include <gtest/gtest.h>

#include "base/encoding.h"

namespace sallyport {
namespace {

std::string from_hex(std::string_view hex) {
    std::string out;
    for (std::size_t i = 0; i + 1 < hex.size(); i += 2)
        out += static_cast<char>(std::stoi(std::string(hex.substr(i, 2)), nullptr, 16));
    return out;
}

TEST(Ed25519, SignsLikeRfc8032) {  // RFC 8032 7.1, TEST 3
    const auto key = Ed25519PrivateKey::from_seed(
        Secret(from_hex("c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7")));
    ASSERT_TRUE(key);
    EXPECT_EQ(to_hex(as_octets(key->public_key())), "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025");
    const std::string signature = key->sign(as_octets("\xaf\x82"));
    EXPECT_EQ(to_hex(as_octets(signature)),
              "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac"
              "18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a");
    EXPECT_TRUE(verify_ed25519(as_octets(key->public_key()), as_octets("\xaf\x82"), as_octets(signature)));
}

TEST(Ed25519, RefusesWhatIsNotSigned) {
    const auto key = Ed25519PrivateKey::generate();
    const std::string signature = key.sign(as_octets("message"));
    const std::string public_key = key.public_key();
    EXPECT_FALSE(verify_ed25519(as_octets(public_key), as_octets("Message"), as_octets(signature)));
    EXPECT_FALSE(verify_ed25519(as_octets(Ed25519PrivateKey::generate().public_key()), as_octets("message"),
                                as_octets(signature)));
    EXPECT_FALSE(verify_ed25519(as_octets(public_key), as_octets("message"), as_octets(signature.substr(1))));
    EXPECT_FALSE(verify_ed25519(as_octets(public_key.substr(1)), as_octets("message"), as_octets(signature)));
    EXPECT_FALSE(verify_ed25519({}, {}, {}));
}

TEST(Ed25519, ComesBackFromItsSeed) {
    const auto key = Ed25519PrivateKey::generate();
    EXPECT_EQ(Ed25519PrivateKey::from_seed(key.seed())->public_key(), key.public_key());
    EXPECT_FALSE(Ed25519PrivateKey::from_seed(Secret("short")));
}

}  // namespace
}  // namespace sallyport
