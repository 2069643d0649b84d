#include "agent/state_folder.h"

#include <sys/stat.h>

#include <fstream>

#include "agent/agent_test_support.h"

namespace sallyport {
namespace {

unsigned mode_of(const std::filesystem::path& path) {
    struct stat status{};
    EXPECT_EQ(::stat(path.c_str(), &status), 0);
    return status.st_mode & 0777;
}

TEST(StateFolder, IsMadeForItsOwnerAlone) {
    const test::TemporaryFolder temporary;
    const auto path = temporary.path() / "a" / "state";
    ASSERT_TRUE(StateFolder::open(path));
    EXPECT_EQ(mode_of(path), 0700u);
    ::chmod(path.c_str(), 0755);
    ASSERT_TRUE(StateFolder::open(path));
    EXPECT_EQ(mode_of(path), 0700u);
}

TEST(StateFolder, ReplacesAFileWholeAndForItsOwnerAlone) {
    const test::TemporaryFolder temporary;
    const auto folder = StateFolder::open(temporary.path());
    EXPECT_EQ(folder->read("x").value(), std::nullopt);
    std::ofstream(temporary.path() / ".x.new") << "left by a process that was killed";
    ASSERT_TRUE(folder->write("x", "one"));
    ASSERT_TRUE(folder->write("x", "two"));
    EXPECT_EQ(folder->read("x").value(), "two");
    EXPECT_EQ(mode_of(temporary.path() / "x"), 0600u);
    EXPECT_FALSE(folder->has(".x.new"));
}

TEST(StateFolder, RefusesAFileThatOthersMayRead) {
    const test::TemporaryFolder temporary;
    const auto folder = StateFolder::open(temporary.path());
    ASSERT_TRUE(folder->write("x", "secret"));
    ::chmod((temporary.path() / "x").c_str(), 0644);
    const auto read = folder->read("x");
    ASSERT_FALSE(read);
    EXPECT_EQ(read.error().code, Errc::permission_denied);
    EXPECT_NE(read.error().detail.find("chmod 600"), std::string::npos);
}

TEST(StateFolder, SaysWhatIsInTheWay) {
    const test::TemporaryFolder temporary;
    std::ofstream(temporary.path() / "file") << "x";
    const auto on_file = StateFolder::open(temporary.path() / "file");
    ASSERT_FALSE(on_file);
    EXPECT_NE(on_file.error().detail.find("is a file"), std::string::npos);
    EXPECT_FALSE(StateFolder::open(temporary.path() / "file" / "below"));
    EXPECT_FALSE(StateFolder::open("/proc/nowhere"));
}

TEST(StateFolder, IsLockedByOneProcess) {
    const test::TemporaryFolder temporary;
    const auto folder = StateFolder::open(temporary.path());
    auto first = folder->lock();
    ASSERT_TRUE(first);
    const auto second = folder->lock();
    ASSERT_FALSE(second);
    EXPECT_EQ(second.error().code, Errc::conflict);
    EXPECT_TRUE(folder->is_locked());
    first->reset();
    EXPECT_FALSE(folder->is_locked());
    EXPECT_TRUE(folder->lock());
}

TEST(StateFolder, ThatIsOnlyLookedAtStaysAsItIs) {
    const test::TemporaryFolder temporary;
    EXPECT_FALSE(StateFolder::open_existing(temporary.path() / "nowhere"));
    EXPECT_FALSE(std::filesystem::exists(temporary.path() / "nowhere"));
    ASSERT_TRUE(StateFolder::open(temporary.path())->write("x", "before"));
    const auto folder = StateFolder::open_existing(temporary.path());
    ASSERT_TRUE(folder);
    EXPECT_FALSE(folder->is_locked());
    EXPECT_TRUE(folder->write("x", "after"));
    EXPECT_TRUE(folder->write("y", "new"));
    EXPECT_TRUE(folder->rename("x", "z"));
    folder->remove("x");
    EXPECT_EQ(folder->read("x")->value(), "before");
    EXPECT_FALSE(folder->has("y") || folder->has("z") || folder->has("agent.lock"));
}

}  // namespace
}  // namespace sallyport
