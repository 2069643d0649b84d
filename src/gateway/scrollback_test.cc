#include "gateway/scrollback.h"

#include <gtest/gtest.h>

namespace sallyport::gateway {
namespace {

struct Kept : Screen::Owner {
    explicit Kept(Scrollback::Limits limits = {}) : scrollback(limits) {}
    void on_row_scrolled_off(const Screen& of, const Row& row) override { scrollback.push(of, row); }
    void on_scrollback_cleared() override { scrollback.clear(); }
    void feed(std::string_view text) { screen.feed(as_octets(text)); }
    Scrollback scrollback;
    Screen screen{{20, 4}, this};
};

std::string numbers(int from, int to) {
    std::string out;
    for (int i = from; i <= to; ++i) out += "line " + std::to_string(i) + "\r\n";
    return out;
}

}  // namespace

TEST(Scrollback, KeepsWhatScrollsOffTheTop) {
    Kept kept;
    kept.feed(numbers(1, 10));
    ASSERT_EQ(kept.scrollback.end(), 7u);
    EXPECT_EQ(kept.scrollback.text(0), "line 1");
    EXPECT_EQ(kept.scrollback.text(6), "line 7");
    EXPECT_EQ(kept.scrollback.text(7), "");
}

TEST(Scrollback, KeepsStylesWideCharactersAndClusters) {
    Kept kept;
    kept.feed("\x1b[1;31mred\x1b[m \xe4\xb8\xad e\xcc\x81\r\n\n\n\n\n");
    EXPECT_EQ(kept.scrollback.text(0), "red \xe4\xb8\xad e\xcc\x81");
    EXPECT_EQ(kept.scrollback.show(0, 20), "\x1b[m\x1b[0;1;31mred\x1b[0m \xe4\xb8\xad e\xcc\x81\x1b[m");
    EXPECT_EQ(kept.scrollback.show(0, 5), "\x1b[m\x1b[0;1;31mred\x1b[0m \x1b[m");  // half a wide one doesn't fit
}

TEST(Scrollback, NothingOfTheAlternateScreenIsKept) {
    Kept kept;
    kept.feed("\x1b[?1049h" + numbers(1, 100) + "\x1b[?1049l");
    EXPECT_EQ(kept.scrollback.end(), 0u);
}

TEST(Scrollback, DropsTheOldestByLines) {
    Kept kept({.lines = 100, .octets = 1'000'000});
    kept.feed(numbers(1, 100'000));
    const auto lines = kept.scrollback.end() - kept.scrollback.begin();
    EXPECT_GE(lines, 100u);
    EXPECT_LT(lines, 3'000u);
    EXPECT_EQ(kept.scrollback.text(kept.scrollback.end() - 1), "line 99997");
    EXPECT_EQ(kept.scrollback.text(kept.scrollback.begin() - 1), "");
}

TEST(Scrollback, IsBoundedInOctets) {
    Kept kept({.lines = 1'000'000, .octets = 100'000});
    std::string colours;
    for (int i = 0; i < 20'000; ++i) colours += "\x1b[38;2;" + std::to_string(i % 256) + ";" + std::to_string(i / 256) + ";0mx\x1b[0;4my" + (i % 10 ? "" : "\r\n");
    kept.feed(colours + numbers(1, 10'000));
    EXPECT_LT(kept.scrollback.memory(), 300'000u);
    EXPECT_EQ(kept.scrollback.text(kept.scrollback.end() - 1), "line 9997");
}

TEST(Scrollback, TenThousandOrdinaryLinesTakeLittle) {
    Kept kept({.lines = 10'000, .octets = 1'500'000});
    std::string all;
    for (int i = 0; i < 12'000; ++i) all += "12345678901234567890"[i % 20] + std::string(60, 'x') + "\r\n";
    Screen wide({80, 24}, &kept);
    wide.feed(as_octets(all));
    EXPECT_GE(kept.scrollback.end() - kept.scrollback.begin(), 10'000u);
    EXPECT_LT(kept.scrollback.memory(), 900'000u);
}

TEST(Scrollback, ClearForgetsAndNumbersGoOn) {
    Kept kept;
    kept.feed(numbers(1, 10) + "\x1b[3J");
    EXPECT_EQ(kept.scrollback.begin(), 7u);
    kept.feed(numbers(11, 20));
    EXPECT_EQ(kept.scrollback.text(7), "line 8");
}

TEST(Scrollback, SeveralGapsInARowAreOne) {
    Kept kept;
    kept.scrollback.push_gap();
    kept.scrollback.push_gap();
    ASSERT_EQ(kept.scrollback.end(), 1u);
    EXPECT_TRUE(kept.scrollback.is_gap(0));
    kept.feed(numbers(1, 4));
    kept.scrollback.push_gap();
    EXPECT_EQ(kept.scrollback.end(), 3u);
    EXPECT_FALSE(kept.scrollback.is_gap(1));
}

}  // namespace sallyport::gateway
