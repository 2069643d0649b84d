#include "wire/openssh_private_key.h"

#include <gtest/gtest.h>

namespace sallyport {
namespace {

// That OpenSSH 9.2 and libssh read it tests/test_ssh_agent.py shows, by both engines.
TEST(OpensshPrivateKey, IsWhatSshKeygenWrites) {
    const auto key = Ed25519PrivateKey::from_seed(Secret(std::string(32, 'k')));
    ASSERT_TRUE(key);
    const Secret pem = format_openssh_private_key(*key, "sallyport");
    EXPECT_TRUE(pem.reveal().starts_with("-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQAAAAAAAAABAAAAMwAAAAtzc2gtZW\n"));
    EXPECT_TRUE(pem.reveal().ends_with("\n-----END OPENSSH PRIVATE KEY-----\n"));
    EXPECT_EQ(ssh_public_key_of(*key, "home").text().substr(0, 31), "ssh-ed25519 AAAAC3NzaC1lZDI1NTE");
    EXPECT_TRUE(strong(ssh_public_key_of(*key)));
}

}  // namespace
}  // namespace sallyport
