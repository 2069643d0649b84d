#include "store/check.h"

#include <gtest/gtest.h>

#include <fstream>

#include "store/store.h"
#include "store/testing.h"

namespace sallyport::store {
namespace {

class CheckTest : public testing::Test {
protected:
    CheckTest() {
        std::string name = (std::filesystem::temp_directory_path() / "sallyport-check-XXXXXX").string();
        folder_ = ::mkdtemp(name.data());
    }
    ~CheckTest() override { std::filesystem::remove_all(folder_); }
    std::size_t files() const { return static_cast<std::size_t>(std::distance(std::filesystem::directory_iterator(folder_), {})); }
    std::filesystem::path folder_;
};

TEST_F(CheckTest, FindsAWholeDatabaseWholeInUseAndNot) {
    const auto file = folder_ / "relay.db";
    {
        const auto store = Store::open(file, {"test", wall_now()});
        ASSERT_TRUE(store);
        EXPECT_TRUE(check_database(file, InUse::yes));
    }
    const std::size_t before = files();
    const auto checked = check_database(file, InUse::no);
    ASSERT_TRUE(checked);
    EXPECT_GT(checked->octets, 0u);
    EXPECT_EQ(files(), before);
}

TEST_F(CheckTest, TellsADamagedOneAndNone) {
    const auto file = folder_ / "a%23?b#.db";
    EXPECT_EQ(check_database(file, InUse::no).error().code, Errc::not_found);
    std::ofstream(file) << std::string(8192, 'x');
    EXPECT_EQ(check_database(file, InUse::no).error().code, Errc::io);
}

}  // namespace
}  // namespace sallyport::store
