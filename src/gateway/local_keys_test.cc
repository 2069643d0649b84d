#include "gateway/local_keys.h"

#include <gmock/gmock.h>

#include <fstream>

namespace sallyport::gateway {
namespace {

using testing::HasSubstr;

const std::string kAlice = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
const std::string kBob = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEB";

class LocalKeysTest : public testing::Test {
protected:
    LocalKeysTest() : file_(std::filesystem::path(testing::TempDir()) / ("local_keys." + std::to_string(::getpid()))) { std::filesystem::remove(file_); }
    ~LocalKeysTest() override { std::filesystem::remove(file_); }
    void write(const std::string& text) {
        const auto next = file_.string() + ".next";
        std::ofstream(next) << text;
        std::filesystem::rename(next, file_);
    }
    static bool lets_in(LocalKeys& keys, const std::string& key) {
        return keys.judge(parse_ssh_public_key(key).value(), "192.0.2.1", wall_now()).has_value();
    }
    std::filesystem::path file_;
    Log log_{LogLevel::error, LogFormat::key_value};
};

TEST_F(LocalKeysTest, TakeContentAndFile) {
    write(kBob + "\n");
    LocalKeys keys = LocalKeys::load(file_, kAlice, log_).value();
    EXPECT_TRUE(keys.any());
    EXPECT_TRUE(lets_in(keys, kAlice));
    EXPECT_TRUE(lets_in(keys, kBob));
    LocalKeys none = LocalKeys::load("", "", log_).value();
    EXPECT_FALSE(none.any());
    EXPECT_FALSE(lets_in(none, kAlice));
}

TEST_F(LocalKeysTest, FollowTheFile) {
    write(kBob + "\n");
    LocalKeys keys = LocalKeys::load(file_, "", log_).value();
    write(kAlice + "\n");
    EXPECT_FALSE(lets_in(keys, kBob));
    EXPECT_TRUE(lets_in(keys, kAlice));
    std::filesystem::remove(file_);
    EXPECT_FALSE(lets_in(keys, kAlice));
    write(kAlice + "\n");
    EXPECT_TRUE(lets_in(keys, kAlice));
}

TEST_F(LocalKeysTest, SayAtTheStartWhatIsWrong) {
    EXPECT_THAT(LocalKeys::load(file_, "", log_).error().detail, HasSubstr("authorized_keys_path"));
    EXPECT_THAT(LocalKeys::load("", kAlice + "\nnonsense\n", log_).error().detail, HasSubstr("authorized_keys_content: line 2"));
}

}  // namespace
}  // namespace sallyport::gateway
