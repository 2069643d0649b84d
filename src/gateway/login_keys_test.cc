#include "gateway/login_keys.h"

#include <gtest/gtest.h>

namespace sallyport::gateway {
namespace {

constexpr std::string_view kAlice = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
constexpr std::string_view kBob = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEB";
constexpr WallTime kNow{std::chrono::seconds(1'800'000'000)};

SshPublicKey key(std::string_view line) { return parse_ssh_public_key(line).value(); }
Result<AuthorizedKeyOptions> judge(const std::string& file, std::string_view who, std::string_view ip = "192.0.2.1") {
    return judge_key(parse_authorized_keys(file).value(), key(who), ip, kNow);
}
std::string lines(std::initializer_list<std::string> all) {
    std::string file;
    for (const std::string& line : all) file += line + "\n";
    return file;
}

TEST(LoginKeys, LetInWhoStandsThere) {
    EXPECT_TRUE(judge(lines({std::string(kAlice)}), kAlice));
    EXPECT_FALSE(judge(lines({std::string(kAlice)}), kBob));
    EXPECT_FALSE(judge("", kAlice));
}

TEST(LoginKeys, HonourFromAndExpiry) {
    const std::string from = "from=\"192.0.2.0/24\" " + std::string(kAlice);
    EXPECT_TRUE(judge(lines({from}), kAlice));
    EXPECT_EQ(judge(lines({from}), kAlice, "198.51.100.1").error().detail, "its line is for other addresses");
    EXPECT_TRUE(judge(lines({from}), kAlice, "::ffff:192.0.2.7"));
    EXPECT_FALSE(judge(lines({"expiry-time=\"20200101Z\" " + std::string(kAlice)}), kAlice));
    EXPECT_TRUE(judge(lines({"expiry-time=\"20990101Z\" " + std::string(kAlice)}), kAlice));
}

TEST(LoginKeys, TakeTheFirstLineThatLetsIn) {
    const auto options = judge(lines({"expiry-time=\"20200101Z\",command=\"a\" " + std::string(kAlice), "command=\"b\",no-pty " + std::string(kAlice),
                                      std::string(kAlice)}), kAlice);
    EXPECT_EQ(options->command, "b");
    EXPECT_FALSE(options->pty);
}

TEST(LoginKeys, DoNotLetAnAuthorityInItself) {
    EXPECT_FALSE(judge(lines({"cert-authority " + std::string(kAlice)}), kAlice));
}

TEST(LoginKeys, DoNotTakeALineWithAnOptionNobodyKnows) {
    EXPECT_FALSE(judge(lines({"only-on-sundays " + std::string(kAlice)}), kAlice));
}

}  // namespace
}  // namespace sallyport::gateway
