#include "wire/concealed_auth.h"

#include <gtest/gtest.h>

#include <vector>

#include "base/encoding.h"

namespace sallyport {
namespace {

// RFC 9729 5
constexpr std::string_view kExample =
    "Concealed k=YmFzZW1lbnQ, a=VGhpcyBpcyBh-HB1YmxpYyBrZXkgaW4gdXNl_GhlcmU, s=2055, v=dmVyaWZpY2F0aW9u_zE2Qg, "
    "p=SW5zZXJ0_HNpZ25hdHVyZSBvZiBub25jZSBoZXJlIHdoaWNoIHRha2VzIDUxMiBiaXRz-GZvciBFZDI1NTE5IQ";

const std::string kExported = std::string(32, '\1') + std::string(16, '\2');

TEST(ConcealedAuth, BuildsTheExporterContext) {
    const std::string context = concealed_exporter_context(as_octets("basement"), as_octets(std::string(32, 'K')),
                                                           {"https", "relay.example", 8443});
    std::string want =
        "0807"
        "08" +
        to_hex(as_octets("basement")) + "20" + to_hex(as_octets(std::string(32, 'K'))) + "05" +
        to_hex(as_octets("https")) + "0d" + to_hex(as_octets("relay.example")) + "20fb" + "00";
    EXPECT_EQ(to_hex(as_octets(context)), want);
    const std::string long_host = concealed_exporter_context({}, {}, {"https", std::string(100, 'h'), 443});
    EXPECT_EQ(to_hex(as_octets(long_host)).substr(0, 24),
              "0807"
              "00"
              "00"
              "05"
              "6874747073"
              "4064");  // RFC 9000 16: two octets from 64 on
}

TEST(ConcealedAuth, SignsWhatTheRfcSays) {  // RFC 9729 3.3, with its context string spelled out
    std::string want(128, '0');
    for (std::size_t i = 0; i < want.size(); i += 2) want[i] = '2';
    want +=
        "4854545020436f6e6365616c65642041757468656e7469636174696f6e"
        "00";
    for (int i = 0; i < 32; ++i) want += "01";
    EXPECT_EQ(to_hex(as_octets(concealed_signed_content(as_octets(kExported)))), want);
}

TEST(ConcealedAuth, ReadsTheExampleOfTheRfc) {
    const auto proof = parse_concealed(kExample);
    ASSERT_TRUE(proof);
    EXPECT_EQ(proof->key_id, "basement");
    EXPECT_EQ(proof->public_key, "This is a\xf8public key in use\xfchere");
    EXPECT_EQ(proof->signature_scheme, 2055);
    EXPECT_EQ(proof->verification,
              "verification\xff"
              "16B");
    EXPECT_EQ(format_concealed(*proof), kExample);
}

TEST(ConcealedAuth, ParsesStrictly) {
    struct Row {
        const char* name;
        std::string value;
        bool good;
    };
    const std::vector<Row> rows = {
        {"any order, names without case", "concealed P=AA,V=AA , S=2055,A=AA,\tK=AA", true},
        {"unknown parameter", "Concealed k=AA, a=AA, s=2055, v=AA, p=AA, x=\"a, b\"", true},
        {"s of 0", "Concealed k=AA, a=AA, s=0, v=AA, p=AA", true},
        {"another scheme", "Bearer k=AA, a=AA, s=2055, v=AA, p=AA", false},
        {"scheme only", "Concealed", false},
        {"nothing", "", false},
        {"k missing", "Concealed a=AA, s=2055, v=AA, p=AA", false},
        {"a missing", "Concealed k=AA, s=2055, v=AA, p=AA", false},
        {"s missing", "Concealed k=AA, a=AA, v=AA, p=AA", false},
        {"v missing", "Concealed k=AA, a=AA, s=2055, p=AA", false},
        {"p missing", "Concealed k=AA, a=AA, s=2055, v=AA", false},
        {"k twice", "Concealed k=AA, k=AA, a=AA, s=2055, v=AA, p=AA", false},
        {"s twice", "Concealed k=AA, a=AA, s=2055, s=2055, v=AA, p=AA", false},
        {"padding", "Concealed k=AA==, a=AA, s=2055, v=AA, p=AA", false},
        {"quotes", "Concealed k=\"AA\", a=AA, s=2055, v=AA, p=AA", false},
        {"plain base64", "Concealed k=A/A=, a=AA, s=2055, v=AA, p=AA", false},
        {"s with leading zero", "Concealed k=AA, a=AA, s=02055, v=AA, p=AA", false},
        {"s signed", "Concealed k=AA, a=AA, s=-1, v=AA, p=AA", false},
        {"s above 65535", "Concealed k=AA, a=AA, s=65536, v=AA, p=AA", false},
        {"s empty", "Concealed k=AA, a=AA, s=, v=AA, p=AA", false},
        {"k empty", "Concealed k=, a=AA, s=2055, v=AA, p=AA", false},
        {"k too long", "Concealed k=" + std::string(400, 'A') + ", a=AA, s=2055, v=AA, p=AA", false},
        {"realm", "Concealed k=AA, a=AA, s=2055, v=AA, p=AA, realm=\"x\"", false},
        {"no value", "Concealed k, a=AA, s=2055, v=AA, p=AA", false},
        {"field too long", "Concealed k=AA, a=AA, s=2055, v=AA, p=AA, x=" + std::string(5000, 'A'), false},
    };
    for (const Row& row : rows) EXPECT_EQ(parse_concealed(row.value).has_value(), row.good) << row.name;
}

TEST(ConcealedAuth, HoldsForOneConnectionAndKey) {
    const auto key = Ed25519PrivateKey::generate();
    const auto proof = parse_concealed(format_concealed(make_concealed_proof(key, "agent-1", as_octets(kExported))));
    ASSERT_TRUE(proof);
    const std::string known = key.public_key();
    EXPECT_EQ(proof->key_id, "agent-1");
    EXPECT_TRUE(verify_concealed_proof(*proof, as_octets(known), as_octets(kExported)));

    const std::string other_connection = std::string(32, '\3') + std::string(16, '\4');
    EXPECT_FALSE(verify_concealed_proof(*proof, as_octets(known), as_octets(other_connection)));
    const std::string other_input = std::string(32, '\3') + std::string(16, '\2');
    EXPECT_FALSE(verify_concealed_proof(*proof, as_octets(known), as_octets(other_input)));
    EXPECT_FALSE(
        verify_concealed_proof(*proof, as_octets(Ed25519PrivateKey::generate().public_key()), as_octets(kExported)));
    EXPECT_FALSE(verify_concealed_proof(*proof, as_octets(known), as_octets(kExported.substr(1))));
    ConcealedProof spoiled = *proof;
    spoiled.proof[5] ^= 1;
    EXPECT_FALSE(verify_concealed_proof(spoiled, as_octets(known), as_octets(kExported)));
    spoiled = *proof;
    spoiled.signature_scheme = 0x0804;
    EXPECT_FALSE(verify_concealed_proof(spoiled, as_octets(known), as_octets(kExported)));
}

}  // namespace
}  // namespace sallyport
