#include "ssh/key_file.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "base/encoding.h"
#include "ssh/test_support.h"

namespace sallyport::ssh {
namespace {

// Made by ssh-keygen for this test and used nowhere. The passphrase is "secret".
constexpr std::string_view kWithPassphrase = R"(-----BEGIN OPENSSH PRIVATE KEY-----
b3BlbnNzaC1rZXktdjEAAAAACmFlczI1Ni1jdHIAAAAGYmNyeXB0AAAAGAAAABBaITvHjH
IkdqUU0ub40lMhAAAAEAAAAAEAAAAzAAAAC3NzaC1lZDI1NTE5AAAAIMJOTDHR7M9ahGPH
pfox1Nkf9TwU+7ZmPQ7pXhf509iFAAAAkEbma0kopqS8CbzQmaCYJgx/QUOIkbFOgj8j5s
otNeNZ+IJaYwhUjpixQYgjld7PNuwPATi2wqNQRvB2JpAL4vRn/QhNyGY2t7lHbg17I8SE
AFWD6ogxML0lXIXY97tWo/XvFc1V0JR0WsZoPTfnngrhY1JVEWKF4CQlW7lRwOLsPcxs7l
386SUL5hZQsBdwnw==
-----END OPENSSH PRIVATE KEY-----
)";
constexpr std::string_view kEcdsaPem = R"(-----BEGIN EC PRIVATE KEY-----
MHcCAQEEIK/CBa8rDp0Bzxnlo3eNDQMViRMpRXSVQ43Y+1haDj93oAoGCCqGSM49
AwEHoUQDQgAEvAxQhpFNpZiNh1ZQSOk1HoRUoj5yDhNCDiKVMdCj9nG9zQJWWRM+
wIU/lYWsEQi7cEOOYqFgxA/0GKX8ZI3yYg==
-----END EC PRIVATE KEY-----
)";
constexpr std::string_view kEd25519Pkcs8 = R"(-----BEGIN PRIVATE KEY-----
MC4CAQAwBQYDK2VwBCIEIAmH3JVVIWTEBIvmyElurHSRARMXix96OIeuqW29OO4W
-----END PRIVATE KEY-----
)";

class KeyFile : public testing::Test {
protected:
    void SetUp() override {
        start_library_once();
        std::string name = std::filesystem::temp_directory_path() / "sallyport_key_XXXXXX";
        folder_ = ::mkdtemp(name.data());
    }
    void TearDown() override { std::filesystem::remove_all(folder_); }
    std::filesystem::path folder_;
};

TEST_F(KeyFile, IsMadeOncePrivateAndReadAgain) {
    const std::filesystem::path path = folder_ / "key";
    const LoadedKey made = load_or_make_key(path).value();
    EXPECT_TRUE(made.made);
    EXPECT_EQ(made.key.public_key().type, "ssh-ed25519");
    struct stat status{};
    ASSERT_EQ(::stat(path.c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777, 0600U);
    const LoadedKey again = load_or_make_key(path).value();
    EXPECT_FALSE(again.made);
    EXPECT_EQ(again.key.public_key(), made.key.public_key());
    EXPECT_FALSE(std::filesystem::exists(folder_ / "key.new"));
    (void)save_key(PrivateKey::generate().value(), path).value();
    EXPECT_FALSE(load_key(path)->public_key() == made.key.public_key());
}

TEST_F(KeyFile, ThatOthersMayReadIsRefusedUnlessShared) {
    const std::filesystem::path path = folder_ / "key";
    (void)load_or_make_key(path).value();
    ASSERT_EQ(::chmod(path.c_str(), 0640), 0);
    EXPECT_EQ(load_key(path).error().code, Errc::permission_denied);
    EXPECT_EQ(load_or_make_key(path).error().code, Errc::permission_denied);
    EXPECT_TRUE(load_key(path, FileMode::shared_ok));
    EXPECT_EQ(load_key(folder_ / "none").error().code, Errc::not_found);
    EXPECT_EQ(load_key(folder_).error().code, Errc::invalid_argument);
    EXPECT_FALSE(load_or_make_key(folder_ / "none" / "key"));
}

TEST_F(KeyFile, TextIsTakenAsPeoplePasteIt) {
    const PrivateKey key = PrivateKey::generate().value();
    const std::string text(key.text().reveal());
    ASSERT_TRUE(text.starts_with("-----BEGIN OPENSSH PRIVATE KEY-----"));
    std::string crlf, literal, indented = "    ";
    for (const char c : text) {
        crlf += c == '\n' ? std::string("\r\n") : std::string(1, c);
        literal += c == '\n' ? std::string("\\n") : std::string(1, c);
        indented += c == '\n' ? std::string("  \n    ") : std::string(1, c);
    }
    std::string wrapped = to_base64(as_octets(text));
    for (std::size_t i = 70; i < wrapped.size(); i += 71) wrapped.insert(i, "\n");
    for (const std::string& form : {text, crlf, literal, indented, "\n\n" + text + "\n\n", text.substr(0, text.size() - 1), wrapped,
                                    to_base64(as_octets(crlf))}) {
        const Result<PrivateKey> parsed = PrivateKey::parse(Secret(form));
        ASSERT_TRUE(parsed) << parsed.error().detail;
        EXPECT_EQ(parsed->public_key(), key.public_key());
    }
}

TEST_F(KeyFile, OtherFormatsAndPassphrases) {
    const Secret locked{std::string(kWithPassphrase)};
    EXPECT_EQ(PrivateKey::parse(locked).error().code, Errc::invalid_argument);
    EXPECT_EQ(PrivateKey::parse(locked, Secret(std::string("wrong"))).error().code, Errc::invalid_argument);
    EXPECT_EQ(PrivateKey::parse(locked, Secret(std::string("secret"))).value().public_key().type, "ssh-ed25519");
    EXPECT_EQ(PrivateKey::parse(Secret(std::string(kEcdsaPem))).value().public_key().type, "ecdsa-sha2-nistp256");
    EXPECT_EQ(PrivateKey::parse(Secret(std::string(kEd25519Pkcs8))).value().public_key().type, "ssh-ed25519");
}

TEST_F(KeyFile, NonsenseIsRefusedWithoutRepeatingIt) {
    for (const std::string_view text : {"", "hello", "-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----\n",
                                        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ x", "c2VjcmV0", "-----BEGIN"}) {
        const Result<PrivateKey> parsed = PrivateKey::parse(Secret(std::string(text)));
        ASSERT_FALSE(parsed) << text;
        EXPECT_EQ(parsed.error().code, Errc::invalid_argument);
        if (text.size() > 4) EXPECT_EQ(parsed.error().detail.find(text), std::string::npos);
    }
    EXPECT_EQ(PrivateKey::parse(Secret(std::string(100'000, 'A'))).error().code, Errc::too_large);
}

}  // namespace
}  // namespace sallyport::ssh
