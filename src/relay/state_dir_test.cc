#include "relay/state_dir.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/random.h"

namespace sallyport::relay {
namespace {

namespace fs = std::filesystem;

class StateDirTest : public testing::Test {
protected:
    ~StateDirTest() override { fs::remove_all(folder_); }
    static unsigned mode_of(const fs::path& path) {
        struct stat info{};
        ::stat(path.c_str(), &info);
        return info.st_mode & 0777;
    }
    fs::path folder_ = fs::temp_directory_path() / ("state-" + random_token(8));
};

TEST_F(StateDirTest, MakesTheFolderAndThoseAboveItForTheOwnerOnly) {
    ASSERT_TRUE(prepare_state_dir(folder_ / "a" / "b"));
    EXPECT_EQ(mode_of(folder_ / "a"), 0700u);
    EXPECT_EQ(mode_of(folder_ / "a" / "b"), 0700u);
}

TEST_F(StateDirTest, RefusesAFolderInWhichOthersMayWrite) {
    fs::create_directory(folder_);
    ::chmod(folder_.c_str(), 0777);
    EXPECT_EQ(prepare_state_dir(folder_).error().code, Errc::permission_denied);
    ::chmod(folder_.c_str(), 0755);
    EXPECT_TRUE(prepare_state_dir(folder_));
}

TEST_F(StateDirTest, RefusesAFileInItsPlaceAndNamesIt) {
    ASSERT_TRUE(write_whole(folder_, "x", 0600));
    const auto made = prepare_state_dir(folder_);
    ASSERT_FALSE(made);
    EXPECT_NE(made.error().detail.find(folder_.string()), std::string::npos);
}

TEST_F(StateDirTest, SaysThatTheFolderIsNotWritable) {
    if (::geteuid() == 0) GTEST_SKIP() << "root may write anywhere";
    const auto made = prepare_state_dir("/proc/nothing");
    ASSERT_FALSE(made);
    EXPECT_EQ(made.error().detail.find('\n'), std::string::npos);
}

TEST_F(StateDirTest, KeepsItsIdentityOverStarts) {
    ASSERT_TRUE(prepare_state_dir(folder_));
    const auto first = load_or_make_identity(folder_);
    const auto second = load_or_make_identity(folder_);
    ASSERT_TRUE(first) << first.error().detail;
    ASSERT_TRUE(second) << second.error().detail;
    EXPECT_EQ(pin_of_certificate(first->chain_pem).value(), pin_of_certificate(second->chain_pem).value());
    EXPECT_EQ(mode_of(folder_ / kIdentityFile), 0600u);
}

TEST_F(StateDirTest, SignsTheSelfSignedCertificateAnewForANewName) {
    ASSERT_TRUE(prepare_state_dir(folder_));
    const auto first = load_or_make_self_signed(folder_, {"localhost"});
    const auto same = load_or_make_self_signed(folder_, {"localhost"});
    const auto wider = load_or_make_self_signed(folder_, {"localhost", "*.example.org"});
    ASSERT_TRUE(first && same && wider);
    EXPECT_EQ(pin_of_certificate(first->chain_pem).value(), pin_of_certificate(same->chain_pem).value());
    EXPECT_EQ(pin_of_certificate(first->chain_pem).value(), pin_of_certificate(wider->chain_pem).value());
    EXPECT_EQ(wider->names, (std::vector<std::string>{"localhost", "*.example.org"}));
}

TEST_F(StateDirTest, ReadsNoMoreThanItsBound) {
    ASSERT_TRUE(write_whole(folder_, "12345", 0600));
    EXPECT_EQ(read_whole(folder_, 5).value(), "12345");
    EXPECT_EQ(read_whole(folder_, 4).error().code, Errc::too_large);
}

}  // namespace
}  // namespace sallyport::relay
