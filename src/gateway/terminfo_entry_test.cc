#include "gateway/terminfo_entry.h"

#include <gtest/gtest.h>

namespace sallyport::gateway {

TEST(TerminfoEntry, KnowsTheTerminalsOfThisMachine) {
    const auto xterm = find_terminfo("xterm-256color");
    ASSERT_TRUE(xterm);
    EXPECT_TRUE(xterm->erases_in_colour);
    EXPECT_TRUE(xterm->erases_characters);
    const auto vt100 = find_terminfo("vt100");
    ASSERT_TRUE(vt100);
    EXPECT_FALSE(vt100->erases_in_colour);
    EXPECT_FALSE(vt100->erases_characters);
}

TEST(TerminfoEntry, ANameCanNotLeaveTheDataBase) {
    for (const std::string_view name : {"", "../x/xterm", "x/../../etc/passwd", ".", "xterm\n", "no-such-terminal"}) EXPECT_FALSE(find_terminfo(name));
    EXPECT_FALSE(find_terminfo(std::string(10'000, 'x')));
}

TEST(TerminfoEntry, CutEntriesAreNone) {
    std::string file(12, '\0');
    EXPECT_FALSE(parse_terminfo(as_octets(file)));
    file[0] = 0x1A;
    file[1] = 0x01;
    EXPECT_TRUE(parse_terminfo(as_octets(file)));
    file[8] = 1;
    EXPECT_FALSE(parse_terminfo(as_octets(file)));
    for (std::size_t size = 0; size < 12; ++size) EXPECT_FALSE(parse_terminfo(as_octets(file.substr(0, size))));
}

TEST(MoshClientTerm, IsOneThatMoshKnowsAndThatErasesNoBetter) {
    EXPECT_EQ(mosh_client_term("xterm-256color"), "xterm-256color");
    EXPECT_EQ(mosh_client_term("linux"), "xterm-256color");
    EXPECT_EQ(mosh_client_term("vt100"), "screen-256color");
    EXPECT_EQ(mosh_client_term("dumb"), "screen-256color");
    EXPECT_EQ(mosh_client_term("tmux-unheard-of"), "screen-256color");
    EXPECT_EQ(mosh_client_term("frobnicator-9000"), "xterm-256color");
    EXPECT_EQ(mosh_client_term(""), "xterm-256color");
}

}  // namespace sallyport::gateway
