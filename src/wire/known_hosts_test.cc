#include "wire/known_hosts.h"

#include <gtest/gtest.h>

namespace sallyport {
namespace {

const std::string kEd25519 = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIMgMPKg6VcGO0Fd8zP7lZ1FprZHMWnodl+TgUPxmtWh/";
const std::string kEcdsa = "ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBOHSGZWcc5bFlzfpbtY+MQbSqC1pHGcNNN1scrDibPsNN8GbeGWSo3xMoUsM6AhnSV0Fr4JI/N5Hs1a+Wi7KWOs=";

SshPublicKey key(std::string_view line) { return *parse_ssh_public_key(line); }

std::string_view judge(std::string_view file, std::string_view host, std::uint16_t port, std::string_view line) {
    constexpr std::string_view kNames[] = {"unknown", "known", "changed", "revoked"};
    return kNames[static_cast<int>(KnownHosts::parse(file)->judge(host, port, key(line)))];
}

TEST(KnownHosts, KnowsPlainNamesListsAndWildcards) {
    const std::string file = "# mine\n\nhome.example,192.0.2.1 " + kEd25519 + " comment\r\n*.lan,!printer.lan " + kEcdsa + "\nno key\n@odd x " + kEd25519;
    EXPECT_EQ(judge(file, "home.example", 22, kEd25519), "known");
    EXPECT_EQ(judge(file, "Home.Example", 22, kEd25519), "known");
    EXPECT_EQ(judge(file, "192.0.2.1", 22, kEd25519), "known");
    EXPECT_EQ(judge(file, "home.example", 22, kEcdsa), "changed");
    EXPECT_EQ(judge(file, "nas.lan", 22, kEcdsa), "known");
    EXPECT_EQ(judge(file, "printer.lan", 22, kEcdsa), "unknown");
    EXPECT_EQ(judge(file, "x", 22, kEd25519), "unknown");
    EXPECT_EQ(judge("", "x", 22, kEd25519), "unknown");
}

TEST(KnownHosts, PortsHaveNamesOfTheirOwn) {
    const std::string file = "home.example " + kEd25519 + "\n[home.example]:2222 " + kEcdsa + "\n[2001:db8::1]:2222 " + kEcdsa;
    EXPECT_EQ(judge(file, "home.example", 22, kEd25519), "known");
    EXPECT_EQ(judge(file, "home.example", 2222, kEcdsa), "known");
    EXPECT_EQ(judge(file, "home.example", 2222, kEd25519), "changed");
    EXPECT_EQ(judge(file, "home.example", 2200, kEd25519), "known");    // ssh: "found matching key w/out port"
    EXPECT_EQ(judge(file, "home.example", 2200, kEcdsa), "unknown");
    EXPECT_EQ(judge(file, "2001:db8::1", 2222, kEcdsa), "known");
    EXPECT_EQ(judge(file, "[2001:db8::1]", 2222, kEcdsa), "known");
    EXPECT_EQ(KnownHosts::parse(file)->keys_of("home.example", 2222), std::vector{key(kEcdsa)});
    EXPECT_EQ(KnownHosts::parse(file)->keys_of("home.example", 2200), std::vector{key(kEd25519)});
}

TEST(KnownHosts, ReadsAndWritesHashedNames) {
    // Made with ssh-keygen -H.
    const std::string file = "|1|ENmnoVIUjYgvhXmv7RQAoN00lbA=|WXAPYZVgchgUXpVyyhnqjgztafs= " + kEd25519 + "\n|1|zHfAFMrbjQ62Kqfi8fthSB9QvWc=|xxvRX8LNINqyG95cSNTp/yluMNM= " + kEcdsa;
    EXPECT_EQ(judge(file, "home.example", 22, kEd25519), "known");
    EXPECT_EQ(judge(file, "home.example", 2222, kEcdsa), "known");
    EXPECT_EQ(judge(file, "home.example", 2222, kEd25519), "changed");
    EXPECT_EQ(judge(file, "other.example", 22, kEd25519), "unknown");
    EXPECT_EQ(judge("|1|x|y " + kEd25519, "home.example", 22, kEd25519), "unknown");
    const std::string line = hashed_known_hosts_line("Home.example", 2222, key(kEd25519), as_octets(std::string(20, 's')));
    EXPECT_TRUE(line.starts_with("|1|"));
    EXPECT_EQ(judge(line, "home.example", 2222, kEd25519), "known");
}

TEST(KnownHosts, RevokedKeysAndAuthorities) {
    const std::string file = "home.example " + kEd25519 + "\n@revoked * " + kEd25519 + "\n@cert-authority *.example " + kEcdsa;
    EXPECT_EQ(judge(file, "home.example", 22, kEd25519), "revoked");
    EXPECT_EQ(judge(file, "other.example", 2222, kEd25519), "revoked");
    EXPECT_EQ(judge(file, "other.example", 22, kEcdsa), "unknown");
    EXPECT_EQ(KnownHosts::parse(file)->keys_of("other.example", 22).size(), 0u);
}

TEST(KnownHosts, WritesLines) {
    EXPECT_EQ(known_hosts_line("relay.example", 22, key(kEd25519 + " me")), "relay.example " + kEd25519);
    EXPECT_EQ(known_hosts_line("relay.example", 2222, key(kEd25519)), "[relay.example]:2222 " + kEd25519);
    EXPECT_EQ(known_hosts_line("2001:db8::1", 2222, key(kEd25519)), "[2001:db8::1]:2222 " + kEd25519);
    EXPECT_EQ(KnownHosts::parse(std::string(kMaxKnownHostsFile + 1, '\n')).error().code, Errc::too_large);
}

}  // namespace
}  // namespace sallyport
