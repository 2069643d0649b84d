#include "wire/ssh_public_key.h"

#include <gtest/gtest.h>

#include "base/encoding.h"

namespace sallyport {
namespace {

// Made with ssh-keygen; fingerprints and bits as `ssh-keygen -l` shows them.
struct Known {
    std::string_view line, fingerprint;
    unsigned bits;
    bool strong;
};
constexpr Known kKnown[] = {
    {"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIMgMPKg6VcGO0Fd8zP7lZ1FprZHMWnodl+TgUPxmtWh/ anna@home ed25519",
     "SHA256:4nWQesIX4ZO4sUTrierzfomFprnQ2plhTzyL/Ih0BKE", 256, true},
    {"ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBOHSGZWcc5bFlzfpbtY+MQbSqC1pHGcNNN1scrDibPsNN8GbeGWSo3xMoUsM6AhnSV0Fr4JI/N5Hs1a+Wi7KWOs= anna@home ecdsab256",
     "SHA256:7I1ixwBvgTuqztb5io7ZMgt77galf+gcuIhrR+Ev5V8", 256, true},
    {"ecdsa-sha2-nistp384 AAAAE2VjZHNhLXNoYTItbmlzdHAzODQAAAAIbmlzdHAzODQAAABhBNpD/U6A+lBTgbdLA0DRMPqsVflYDpQBRNAyqEjN76rXxaIKayBEFcUp4VOxxO+EGF6O0jbdytO0U/OceKrOOaLwXuoHy1x2GIYL1soEVyUG1LL6OoXJl7qLrULKh9MGsw== anna@home ecdsab384",
     "SHA256:5VZcX2RGqGG/9CVqRs79pD4k8/8yFxkayYoWBpCEkzg", 384, true},
    {"ecdsa-sha2-nistp521 AAAAE2VjZHNhLXNoYTItbmlzdHA1MjEAAAAIbmlzdHA1MjEAAACFBAF5JH1zyigLnJixk857Isdm+VH8P5JWaIixGhFrPrWh7bSl2XBqDtCb+sm/96DuGcXYQJtWX5zAQKzOwl9czkgXbgAScsa6QY+KTheS62YcCCOI34AkaorSqMYSZy+DM+uFxAculc9xxnicCcgWyuQeNLntzdi34QVX3E8mv5awBKTCrw== anna@home ecdsab521",
     "SHA256:77IXcMJzKvw4tngvnfC4NbJFbp2BPiV3VnvqJetfZEU", 521, true},
    {"ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAABgQD51BkVcBl6Ldf6YkH/O2OiA7/lb/SaLFWmkofl2MJnXU4h52axQ0Z1dWxf9csTYhf98L3qOl9NjynoqIGqGNTkja1ceSNg9CEPwIgsxnzdBK2qHYsw7mba2UbD6pBAwLTaYeb/hf4ZO4Tq3O3dqKRne16LTZLln/JvzX+zoHJZehilo0unCESxZzQalBLkqbDPaJFfGAhRL2aH747gLHYFx4qNaZhI3412x0y5xDCXYIeIw33I0rjAbqHUSQHDIKciKBiUmk+DF1W6U5w4p/wQjTW8X+SqjY8hdEFPP5Xi2f4RGyz150P9jtxRq6hXJqcaxehdAxSsZQ63rQBdyJHCsNhYEdrs7PvYyLsu+rWwJLhDC41Kmp6ZyM1CCMioF3GtAY54FEBDkRLC4iA5BS3hJL9oU/JXbZerZXXxqAMBoJ8rQN3QTDYctc4uQA9vAAggdRM00Ai4owMCvBvEAyDORQsZn7lD0JsnPxCmpk4pfAeeLA7nMHcRnOp5xAYV1Uk= anna@home rsab3072",
     "SHA256:x65P/XzHSo92nqB4V5QYVaYmDJ4KeA0Gs+wvd0oVmUM", 3072, true},
    {"ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAABAQCpitHNMG6X8PCLmisYqN7OMZb5gQxk/tKnhN03M8z7XG48gtkv4sRsPESisJg9Dh99EV8YWq0qoYZcyxc70AAyrtY+wQyDPDMrX+UG8l8KQlRk/pj6gN4YFziQ/OwSDHZAp04x4hqCqAl7CmJ1sBuD+3eADlBY4AJXTks2qVTpsCkhtc37HT4kmtIRr+SEUfgahl0xVLKdPYYPkZz1r7Wns/tvJkh8D0lEmtV1zdEfcDeLDKPsbJCBHgNKh/N1P4p6z1Q7VlcOFESt5w0syCnc3fvnEboESDbCwT59cjfK/gNOWj7X68YQt7j4hc4ui30P07JPDHsbdw+7ns2DWwVF anna@home rsab2048",
     "SHA256:xKkH4wlBUsOOnxmfCPVq9zucb4B46RBzbr4GfPExa/Q", 2048, false},
    {"ssh-dss AAAAB3NzaC1kc3MAAACBAKRst6UYWuxa6nJCv1cI3CBcYYS9Am+85QuBWzkFgMmA6kQqJLbhiDaJsb8Ds7/e9kPlToN7trcaJth81qlbHnLb/OUsjnNVsSJ0b1UZvkT6z9IWlRb4BDPvZsMG90ZJdNQAL3Yof0Nmjh/ZPTI981v6DE2Lii5lBoJzPwg2PFlrAAAAFQCBa1XOV/p172+SD7mspqVxyQ3KNQAAAIBd+VAV4o3LTm7asM5OKSOa80rtsjKVUiKuSFZ/ePTUDu0aoBO4KwX+p6lCBLPdr/o4nf/GQUzAKlROZv5sYQX1hd+6nhgGuE+wFyzniE6kPvxAOpBGcCiLMK7zPMDy33pJfAe2WPiA81pUMdW7v/U1S8/84z4L572GKF705bPLeAAAAIAfLBZNRiUiQALR7qIhzK4g+R/KCJDuJomnfE4+1+X+EixkpOHQCIvN5vrOomoszWV24JWVog/CBkr2ITv4xu1JqyuUSZ6z364+O7G88gwbcHIckiRj9YyV8t7F6sUaRirfnHZs34+Dx2oafNtNLGlc/Wa2hjGEKjvM/sKaew1yrA== root@vm",
     "SHA256:DY3dcsSb0t989zdwc7q9TdOskdhMmGbkWVAyVK/i+Xk", 0, false},
};
constexpr std::string_view kEd25519 = kKnown[0].line;

std::string refusal(std::string_view line) {
    const auto key = parse_ssh_public_key(line);
    return key ? "taken" : key.error().detail;
}

std::string field(std::string_view value) {
    return std::string{0, 0, static_cast<char>(value.size() >> 8), static_cast<char>(value.size())}.append(value);
}

TEST(SshPublicKey, ReadsWhatSshKeygenMakes) {
    for (const Known& known : kKnown) {
        const auto key = parse_ssh_public_key(known.line);
        ASSERT_TRUE(key) << known.line;
        EXPECT_EQ(key->text(), known.line);
        EXPECT_EQ(key->fingerprint(), known.fingerprint);
        EXPECT_EQ(key->bits(), known.bits) << known.line;
        EXPECT_EQ(strong(*key), known.strong) << known.line;
    }
}

TEST(SshPublicKey, ReadsSecurityKeys) {
    const std::string ed25519 = field("sk-ssh-ed25519@openssh.com") + field(std::string(32, 'k')) + field("ssh:");
    const std::string ecdsa = field("sk-ecdsa-sha2-nistp256@openssh.com") + field("nistp256") + field("\x04" + std::string(64, 'k')) + field("ssh:");
    for (const std::string& blob : {ed25519, ecdsa}) {
        const auto key = read_ssh_public_key(as_octets(blob), "anna's token");
        ASSERT_TRUE(key);
        EXPECT_EQ(key->bits(), 256u);
        EXPECT_TRUE(strong(*key));
        EXPECT_EQ(parse_ssh_public_key(key->text()), *key);
        EXPECT_FALSE(read_ssh_public_key(as_octets(blob).first(blob.size() - 8)));
        EXPECT_FALSE(read_ssh_public_key(as_octets(blob + "x")));
    }
}

TEST(SshPublicKey, TakesSpacesAndAnyComment) {
    const std::string bare(kEd25519.substr(0, kEd25519.rfind(" anna")));
    EXPECT_EQ(parse_ssh_public_key("  " + bare + " \r\n")->text(), bare.substr(0, bare.size()));
    EXPECT_EQ(parse_ssh_public_key(bare + "\t a b\x1b[2Jc ")->comment, "a b?[2Jc");
    EXPECT_EQ(parse_ssh_public_key(bare + " " + std::string(1000, 'x'))->comment.size(), kMaxSshKeyComment);
}

TEST(SshPublicKey, SaysWhatIsWrongWithALine) {
    EXPECT_TRUE(refusal("").contains("one line like"));
    EXPECT_TRUE(refusal("hello").contains("one line like"));
    EXPECT_TRUE(refusal("hello world").contains("one line like"));
    EXPECT_TRUE(refusal("-----BEGIN OPENSSH PRIVATE KEY-----").contains("private key"));
    EXPECT_TRUE(refusal(kEd25519.substr(0, 40)).contains("copied whole"));
    EXPECT_TRUE(refusal("ssh-rsa" + std::string(kEd25519.substr(kEd25519.find(' ')))).contains("but the key is ssh-ed25519"));
    EXPECT_TRUE(refusal("ssh-rsa " + std::string(100'000, 'A')).contains("too long"));
    EXPECT_TRUE(check_strong(*parse_ssh_public_key(kKnown[5].line)).error().detail.contains("2048 bits"));
    EXPECT_TRUE(check_strong(*parse_ssh_public_key(kKnown[6].line)).error().detail.contains("DSA"));
    const auto certificate = read_ssh_public_key(as_octets(field("ssh-ed25519-cert-v01@openssh.com") + "rest"));
    ASSERT_TRUE(certificate);
    EXPECT_TRUE(check_strong(*certificate).error().detail.contains("certificate"));
}

TEST(SshPublicKey, RefusesDamagedOctets) {
    for (const Known& known : kKnown) {
        const std::string blob = parse_ssh_public_key(known.line)->blob;
        if (!known.line.starts_with("ssh-dss"))
            for (std::size_t size = 0; size < blob.size(); ++size) EXPECT_FALSE(read_ssh_public_key(as_octets(blob).first(size))) << known.line << size;
        EXPECT_EQ(read_ssh_public_key(as_octets(blob + "x")).has_value(), known.line.starts_with("ssh-dss")) << known.line;
    }
    EXPECT_FALSE(read_ssh_public_key(as_octets(field("ssh-rsa") + field("\x03") + field(std::string(384, '\xff')))));        // negative
    EXPECT_FALSE(read_ssh_public_key(as_octets(field("ssh-rsa") + field("\x01") + field("\x7f" + std::string(383, 'n')))));  // exponent 1
    EXPECT_FALSE(read_ssh_public_key(as_octets(field("a b") + "x")));
    EXPECT_FALSE(read_ssh_public_key(as_octets(std::string("\xff\xff\xff\xffssh", 7))));
}

TEST(SshPublicKey, IsTheAgentsOwnKeyToo) {
    const auto key = *parse_ssh_public_key(kEd25519);
    const auto octets = ed25519_of(key);
    ASSERT_TRUE(octets);
    EXPECT_EQ(ssh_key_of_ed25519(*octets), key);
    EXPECT_FALSE(ed25519_of(*parse_ssh_public_key(kKnown[1].line)));
}

}  // namespace
}  // namespace sallyport
