#include "base/shared_map.h"

#include <gtest/gtest.h>

#include <map>
#include <optional>
#include <random>

namespace sallyport {
namespace {

std::map<std::string, int> all_of(const SharedMap<int>& map) {
    std::map<std::string, int> all;
    map.for_each([&](const std::string& key, int value) { EXPECT_TRUE(all.emplace(key, value).second) << key; });
    return all;
}

TEST(SharedMap, IsEmptyAtFirst) {
    SharedMap<int> map;
    EXPECT_EQ(map.size(), 0u);
    EXPECT_FALSE(map.find("a"));
    map.erase("a");
    EXPECT_EQ(map.size(), 0u);
    EXPECT_TRUE(SharedMap<int>(std::vector<std::pair<std::string, int>>{}).find("a") == nullptr);
}

TEST(SharedMap, OfTwoGivenEntriesTheFirstCountsAndOfTwoSetTheLast) {
    SharedMap<int> map(std::vector<std::pair<std::string, int>>{{"a", 1}, {"b", 2}, {"a", 3}});
    EXPECT_EQ(map.size(), 2u);
    EXPECT_EQ(*map.find("a"), 1);
    map.set("a", 4);
    EXPECT_EQ(map.size(), 2u);
    EXPECT_EQ(*map.find("a"), 4);
}

// Whatever is done to it, it holds what a std::map holds, and copies of before keep what they had.
TEST(SharedMap, BehavesAsAMapAndLeavesCopiesAlone) {
    std::mt19937 random(7);
    std::map<std::string, int> expected;
    SharedMap<int> map;
    std::optional<SharedMap<int>> copy;
    std::map<std::string, int> copied;
    for (int step = 0; step < 20'000; ++step) {
        const std::string key = "k" + std::to_string(random() % 3000);
        if (random() % 3 == 0) {
            map.erase(key);
            expected.erase(key);
        } else {
            map.set(key, step);
            expected[key] = step;
        }
        ASSERT_EQ(map.size(), expected.size());
        if (step % 2000 == 1000) {
            copy = map;
            copied = expected;
        }
    }
    EXPECT_EQ(all_of(map), expected);
    EXPECT_EQ(all_of(*copy), copied);
    EXPECT_EQ(copy->size(), copied.size());
    for (const auto& [key, value] : expected) EXPECT_EQ(*map.find(key), value);
    EXPECT_FALSE(map.find("k3000"));
    const std::vector<std::pair<std::string, int>> entries(expected.begin(), expected.end());
    const SharedMap<int> made(entries);
    EXPECT_EQ(all_of(made), expected);
    EXPECT_EQ(made.size(), expected.size());
    for (const auto& [key, value] : entries) map.erase(key);
    EXPECT_EQ(map.size(), 0u);
    EXPECT_TRUE(all_of(map).empty());
}

}  // namespace
}  // namespace sallyport
