#include "relay/ssh_key_rules.h"

#include <gtest/gtest.h>

namespace sallyport::relay {
namespace {

constexpr std::string_view kKey = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIMgMPKg6VcGO0Fd8zP7lZ1FprZHMWnodl+TgUPxmtWh/";

std::string refusal(const std::string& line) {
    const auto key = read_agent_ssh_key(line);
    return key ? "taken" : key.error().detail;
}

TEST(SshKeyRules, KeepsTheLineWithItsOptions) {
    const auto key = read_agent_ssh_key("  restrict,port-forwarding,permitlisten=\"127.0.0.1:8123\",from=\"192.0.2.0/24\" " + std::string(kKey) + "  anna@home \n");
    ASSERT_TRUE(key) << key.error().detail;
    EXPECT_EQ(key->stored.fingerprint, "SHA256:4nWQesIX4ZO4sUTrierzfomFprnQ2plhTzyL/Ih0BKE");
    EXPECT_EQ(key->stored.line, "restrict,port-forwarding,permitlisten=\"127.0.0.1:8123\",from=\"192.0.2.0/24\" " + std::string(kKey) + " anna@home");
    ASSERT_TRUE(key->same);
    store::Credential stored;
    stored.ssh_key = key->stored;
    EXPECT_FALSE(options_of(stored).may_listen("127.0.0.1", 80));
    EXPECT_TRUE(options_of(stored).may_listen("127.0.0.1", 8123));
    EXPECT_EQ(fingerprint_of(stored), key->stored.fingerprint);
    stored.ssh_key->line = "damaged";
    EXPECT_FALSE(options_of(stored).may_listen("127.0.0.1", 8123));
}

TEST(SshKeyRules, AnAgentsOwnKeyHasTheSameFingerprint) {
    const auto key = read_agent_ssh_key(kKey);
    ASSERT_TRUE(key);
    store::Credential own;
    own.public_key = key->same;
    EXPECT_EQ(fingerprint_of(own), key->stored.fingerprint);
    EXPECT_TRUE(options_of(own).may_listen("anywhere", 1));
    EXPECT_EQ(fingerprint_of(store::Credential{}), "");
}

TEST(SshKeyRules, SaysWhatCantBeHonoured) {
    const std::string key(kKey);
    EXPECT_TRUE(refusal("command=\"/bin/false\" " + key).contains("runs nothing"));
    EXPECT_TRUE(refusal("restrict " + key).contains("write restrict,port-forwarding"));
    EXPECT_TRUE(refusal("no-port-forwarding " + key).contains("forbids port forwarding"));
    EXPECT_TRUE(refusal("cert-authority " + key).contains("the key itself"));
    EXPECT_TRUE(refusal("verify-required " + key).contains("security key"));
    EXPECT_TRUE(refusal("no-such " + key).contains("not known"));
    EXPECT_TRUE(refusal("ssh-dss AAAAB3NzaC1kc3MA").contains("DSA"));
    EXPECT_EQ(refusal("no-pty,permitopen=\"a:1\",expiry-time=\"20300101Z\" " + key), "taken");
}

}  // namespace
}  // namespace sallyport::relay
