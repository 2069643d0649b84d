#include "gateway/key_cache.h"

#include <gtest/gtest.h>

namespace sallyport::gateway {
namespace {

using namespace std::chrono_literals;
constexpr TimePoint kStart{1h};

TEST(KeyCache, BelievesAFileForAWhile) {
    KeyCache cache(60s);
    EXPECT_EQ(cache.find("alice", kStart), nullptr);
    cache.keep("alice", "one", kStart);
    EXPECT_EQ(*cache.find("alice", kStart + 59s), "one");
    EXPECT_EQ(cache.find("bob", kStart), nullptr);
    EXPECT_EQ(cache.find("alice", kStart + 60s), nullptr);
    EXPECT_EQ(cache.users(), 0u);
}

TEST(KeyCache, KeepsTheNewestOnly) {
    KeyCache cache(60s);
    cache.keep("alice", "one", kStart);
    cache.keep("alice", "two", kStart + 30s);
    EXPECT_EQ(*cache.find("alice", kStart + 80s), "two");
    cache.forget("alice");
    EXPECT_EQ(cache.find("alice", kStart + 80s), nullptr);
}

TEST(KeyCache, KeepsNothingWhenToldSo) {
    KeyCache cache(0s);
    cache.keep("alice", "one", kStart);
    EXPECT_EQ(cache.find("alice", kStart), nullptr);
}

TEST(KeyCache, StaysBounded) {
    KeyCache cache(60s);
    for (std::size_t i = 0; i < KeyCache::kMostUsers + 100; ++i) cache.keep("u" + std::to_string(i), "x", kStart + i * 1us);
    EXPECT_EQ(cache.users(), KeyCache::kMostUsers);
    EXPECT_EQ(cache.find("u0", kStart + 1s), nullptr);
    EXPECT_NE(cache.find("u" + std::to_string(KeyCache::kMostUsers + 99), kStart + 1s), nullptr);
    for (int i = 0; i < 40; ++i) cache.keep("big" + std::to_string(i), std::string(1_MiB, 'x'), kStart + 1s + i * 1us);
    EXPECT_LE(cache.users(), KeyCache::kMostUsers);
    EXPECT_EQ(cache.find("big0", kStart + 2s), nullptr);
    EXPECT_NE(cache.find("big39", kStart + 2s), nullptr);
}

TEST(KeyCache, AsksNoMoreAfterThreeFailuresInAMinute) {
    KeyCache cache(60s);
    for (const auto after : {0s, 10s, 20s}) {
        EXPECT_TRUE(cache.may_fetch("mallory", kStart + after));
        cache.note_failure("mallory", kStart + after);
    }
    EXPECT_FALSE(cache.may_fetch("mallory", kStart + 21s));
    EXPECT_TRUE(cache.may_fetch("alice", kStart + 21s));
    EXPECT_FALSE(cache.may_fetch("mallory", kStart + 59s));
    EXPECT_TRUE(cache.may_fetch("mallory", kStart + 60s));
    cache.note_failure("mallory", kStart + 60s);
    EXPECT_FALSE(cache.may_fetch("mallory", kStart + 61s));
    EXPECT_TRUE(cache.may_fetch("mallory", kStart + 70s));
}

TEST(KeyCache, ForgivesFailuresAfterASuccess) {
    KeyCache cache(60s);
    for (int i = 0; i < 3; ++i) cache.note_failure("alice", kStart);
    cache.keep("alice", "one", kStart + 1s);
    EXPECT_TRUE(cache.may_fetch("alice", kStart + 2s));
}

TEST(KeyCache, CountsFailuresOfManyNamesInBoundedMemory) {
    KeyCache cache(60s);
    for (std::size_t i = 0; i < 3 * KeyCache::kMostUsers; ++i) cache.note_failure("u" + std::to_string(i), kStart);
    EXPECT_TRUE(cache.may_fetch("fresh", kStart));
}

}  // namespace
}  // namespace sallyport::gateway
