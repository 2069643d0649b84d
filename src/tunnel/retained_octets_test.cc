#include "tunnel/retained_octets.h"

#include <gtest/gtest.h>

#include <random>
#include <string>

namespace sallyport {

TEST(RetainedOctets, GivesBackWhatWasWrittenUntilItIsAcknowledged) {
    RetainedOctets::Stock stock;
    RetainedOctets retained(1_MiB, stock);
    retained.append(as_octets("hello"));
    EXPECT_EQ(as_text(retained.next()), "hello");
    retained.mark_sent(2);
    EXPECT_EQ(as_text(retained.next()), "llo");
    EXPECT_TRUE(retained.acknowledge(1));
    EXPECT_FALSE(retained.acknowledge(3)) << "was never sent";
    EXPECT_FALSE(retained.rewind(0)) << "is no longer held";
    EXPECT_TRUE(retained.rewind(1));
    EXPECT_EQ(as_text(retained.next()), "ello");
}

TEST(RetainedOctets, KnowsWhatWasSentBeforeARewind) {
    RetainedOctets::Stock stock;
    RetainedOctets retained(1_MiB, stock);
    retained.append(as_octets("hello world"));
    retained.mark_sent(5);
    EXPECT_TRUE(retained.rewind(0));  // a connection that carried nothing, then another one
    EXPECT_TRUE(retained.holds(5));
    EXPECT_FALSE(retained.holds(6)) << "was never sent";
    EXPECT_TRUE(retained.acknowledge(5));
    EXPECT_EQ(as_text(retained.next()), " world");
}

TEST(RetainedOctets, IsFullAtItsBoundAndNotAfterAnAcknowledgement) {
    RetainedOctets::Stock stock;
    RetainedOctets retained(100, stock);
    retained.append(as_octets(std::string(100, 'x')));
    EXPECT_TRUE(retained.full());
    retained.mark_sent(100);
    EXPECT_TRUE(retained.acknowledge(1));
    EXPECT_FALSE(retained.full());
}

// Random writes, sends, acknowledgements and rewinds against a plain string that does the same.
TEST(RetainedOctets, BehavesLikeAString) {
    RetainedOctets::Stock stock;
    for (unsigned seed = 0; seed < 200; ++seed) {
        std::mt19937 random(seed);
        const auto up_to = [&](std::size_t n) { return std::uniform_int_distribution<std::size_t>(0, n)(random); };
        RetainedOctets retained(10_MiB, stock);
        std::string model;
        std::size_t sent = 0, ever_sent = 0, acknowledged = 0;
        for (int step = 0; step < 200; ++step) {
            switch (up_to(3)) {
                case 0: {
                    const std::string more(up_to(100'000), static_cast<char>('a' + step % 26));
                    retained.append(as_octets(more));
                    model += more;
                    break;
                }
                case 1: {
                    const auto next = as_text(retained.next());
                    ASSERT_EQ(next, std::string_view(model).substr(sent, next.size()));
                    ASSERT_EQ(next.empty(), sent == model.size());
                    const auto count = up_to(next.size());
                    retained.mark_sent(count);
                    sent += count;
                    ever_sent = std::max(ever_sent, sent);
                    break;
                }
                case 2: {
                    const auto position = acknowledged + up_to(ever_sent - acknowledged);
                    ASSERT_TRUE(retained.acknowledge(position));
                    acknowledged = position;
                    sent = std::max(sent, position);
                    break;
                }
                default: {
                    const auto position = acknowledged + up_to(ever_sent - acknowledged);
                    ASSERT_TRUE(retained.rewind(position));
                    sent = position;
                }
            }
            ASSERT_EQ(retained.unsent(), model.size() - sent);
        }
    }
}

}  // namespace sallyport
