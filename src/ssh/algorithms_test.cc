#include "ssh/algorithms.h"

#include <gtest/gtest.h>

namespace sallyport::ssh {
namespace {

TEST(Algorithms, KnownHostKeysAreAskedForFirst) {
    EXPECT_EQ(host_key_order({}), client_algorithms().host_keys);
    EXPECT_EQ(host_key_order({"ssh-rsa"}), "rsa-sha2-512,rsa-sha2-256,ssh-ed25519,ecdsa-sha2-nistp256,ecdsa-sha2-nistp384,ecdsa-sha2-nistp521");
    EXPECT_EQ(host_key_order({"ssh-ed25519", "ssh-dss"}), client_algorithms().host_keys);
}

}  // namespace
}  // namespace sallyport::ssh
