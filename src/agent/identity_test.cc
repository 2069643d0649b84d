#include "agent/identity.h"

#include "agent/agent_test_support.h"

namespace sallyport {
namespace {

TEST(Identity, IsMadeOnceAndKept) {
    const test::TemporaryFolder temporary;
    const auto folder = StateFolder::open(temporary.path());
    const auto made = load_or_make_identity(*folder);
    ASSERT_TRUE(made);
    EXPECT_TRUE(made->made_now);
    const auto kept = load_or_make_identity(*folder);
    ASSERT_TRUE(kept);
    EXPECT_FALSE(kept->made_now);
    EXPECT_EQ(kept->key.public_key(), made->key.public_key());
    EXPECT_EQ(public_key_text(kept->key).size(), 43u);
}

// The key pair of RFC 8410 10.
TEST(Identity, ReadsWhatOpensslWrites) {
    const auto key = key_from_pem(
        "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n-----END "
        "PRIVATE KEY-----\n");
    ASSERT_TRUE(key);
    EXPECT_EQ(to_base64(as_octets(key->public_key())), "Gb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=");
    EXPECT_TRUE(to_pem(*key).reveal().find("MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp") != std::string_view::npos);
}

TEST(Identity, LeavesADamagedFileAlone) {
    const test::TemporaryFolder temporary;
    const auto folder = StateFolder::open(temporary.path());
    for (const std::string_view text :
         {"", "-----BEGIN PRIVATE KEY-----\n", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"}) {
        ASSERT_TRUE(folder->write(kIdentityFile, text));
        const auto loaded = load_or_make_identity(*folder);
        ASSERT_FALSE(loaded);
        EXPECT_NE(loaded.error().detail.find("agent.key"), std::string::npos);
        EXPECT_EQ(folder->read(kIdentityFile).value(), text);
    }
}

}  // namespace
}  // namespace sallyport
