#include "gateway/remote_host_keys.h"

#include <gmock/gmock.h>

#include <fstream>

namespace sallyport::gateway {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

SshPublicKey key(char letter) {
    return parse_ssh_public_key("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIA" + std::string(1, letter) + "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA").value();
}

class RemoteHostKeysTest : public testing::Test {
protected:
    RemoteHostKeysTest() : folder_(std::filesystem::path(testing::TempDir()) / ("remote_host_keys." + std::to_string(::getpid()))) {
        std::filesystem::remove_all(folder_);
        std::filesystem::create_directories(folder_);
    }
    ~RemoteHostKeysTest() override { std::filesystem::remove_all(folder_); }
    RemoteHostKeys make(std::filesystem::path known_hosts = {}, RemoteHostKeys::Check check = RemoteHostKeys::Check::strict) {
        return {std::move(known_hosts), folder_, "home.example", 2222, check, log_};
    }
    std::filesystem::path folder_;
    Log log_{LogLevel::error, LogFormat::key_value};
};

TEST_F(RemoteHostKeysTest, NotesTheKeyOfFirstUse) {
    EXPECT_THAT(make().known_types(), ElementsAre());
    EXPECT_TRUE(make().judge(key('A')));
    EXPECT_TRUE(make().judge(key('A')));
    EXPECT_THAT(make().known_types(), ElementsAre("ssh-ed25519"));
    const auto changed = make().judge(key('B'));
    ASSERT_FALSE(changed);
    EXPECT_THAT(changed.error().detail, HasSubstr("gateway_known_hosts has another key"));
}

TEST_F(RemoteHostKeysTest, NotesNothingBesideAConfiguredFile) {
    const auto file = folder_ / "known_hosts";
    EXPECT_FALSE(make(file).judge(key('A')));  // the file is missing
    std::ofstream(file) << known_hosts_line("home.example", 22, key('B')) << "\n";
    EXPECT_FALSE(make(file).judge(key('A')));
    std::ofstream(file) << known_hosts_line("home.example", 2222, key('A')) << "\n";
    EXPECT_TRUE(make(file).judge(key('A')));
    EXPECT_FALSE(std::filesystem::exists(folder_ / "gateway_known_hosts"));
}

TEST_F(RemoteHostKeysTest, TakesAnyKeyWhereItIsToldTo) {
    auto keys = make({}, RemoteHostKeys::Check::ignored);
    EXPECT_TRUE(keys.judge(key('A')));
    EXPECT_TRUE(keys.judge(key('B')));
}

TEST_F(RemoteHostKeysTest, RefusesWhereNothingCanBeNoted) {
    std::filesystem::remove_all(folder_);
    EXPECT_FALSE(make().judge(key('A')));
}

}  // namespace
}  // namespace sallyport::gateway
