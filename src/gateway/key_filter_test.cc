#include "gateway/key_filter.h"

#include <gtest/gtest.h>

#include "gateway/resume_dialogue.h"

namespace sallyport::gateway {
namespace {

// "keys{d}keys": what passes, with the commands in braces.
std::string filtered(std::string_view keys, std::size_t cut, int escape_key = 0x1E) {
    static const char* kNames[] = {"", "{d}", "{.}", "{[}", "{r}", "{?}"};
    KeyFilter filter(escape_key);
    std::string out;
    for (std::string_view part : {keys.substr(0, cut), keys.substr(cut)}) {
        while (!part.empty()) {
            const auto step = filter.feed(as_octets(part), out);
            part.remove_prefix(step.octets);
            out += kNames[static_cast<int>(step.command)];
        }
    }
    return out;
}

}  // namespace

TEST(KeyFilter, FindsItsCommandsHoweverTheyAreCut) {
    const std::pair<std::string_view, std::string_view> table[] = {
        {"ls\r", "ls\r"},
        {"a\x1e""db", "a{d}b"},
        {"\x1e.", "{.}"},
        {"\x1e[x", "{[}x"},
        {"\x1e\x1b[5~x", "{[}x"},
        {"\x1er\x1e?", "{r}{?}"},
        {"\x1e\x1ex", "\x1ex"},
        {"\x1e^x", "\x1ex"},
        {"\x1ex", "\x1ex"},
        {"\x1e\x1b[6~x", "\x1e\x1b[6~x"},
        {"\x1e\x1b[A", "\x1e\x1b[A"},
        {"\x1b[5~d.[", "\x1b[5~d.["},
    };
    for (const auto& [keys, expected] : table)
        for (std::size_t cut = 0; cut <= keys.size(); ++cut) EXPECT_EQ(filtered(keys, cut), expected) << keys << " cut at " << cut;
}

TEST(KeyFilter, WithoutAnEscapeKeyEverythingPasses) { EXPECT_EQ(filtered("\x1e""d\x1e.", 0, -1), "\x1e""d\x1e."); }

TEST(KeyFilter, NamesItsKey) {
    EXPECT_EQ(key_name(0x1E), "Ctrl-^");
    EXPECT_EQ(key_name(0x01), "Ctrl-A");
    EXPECT_EQ(key_name('~'), "~");
}

TEST(ResumeDialogue, AsksForTheOneAndTakesEnterForYes) {
    using namespace std::chrono_literals;
    ResumeDialogue dialogue({{"vim", 5min, 3h}});
    EXPECT_EQ(dialogue.take_text(), "1 session waiting (vim, left 5 min ago, 3 h 0 min old), resume? [Y/n] ");
    EXPECT_FALSE(dialogue.keys(as_octets("zx2")));
    const auto answer = dialogue.keys(as_octets("\rls"));
    ASSERT_TRUE(answer);
    EXPECT_EQ(answer->kind, ResumeDialogue::Answer::Kind::resume);
    EXPECT_EQ(answer->octets, 1u);
    EXPECT_EQ(dialogue.take_text(), "y\r\n");
}

TEST(ResumeDialogue, OffersSeveralANewOneAndAWayOut) {
    using Kind = ResumeDialogue::Answer::Kind;
    const auto answer_to = [](std::string_view keys) {
        ResumeDialogue dialogue(std::vector<ResumeDialogue::Waiting>(3));
        return dialogue.keys(as_octets(keys));
    };
    EXPECT_EQ(answer_to("2")->index, 1u);
    EXPECT_EQ(answer_to("\r")->index, 0u);
    EXPECT_FALSE(answer_to("4"));
    EXPECT_FALSE(answer_to("y"));
    EXPECT_EQ(answer_to("n")->kind, Kind::fresh);
    EXPECT_EQ(answer_to("\x03")->kind, Kind::leave);
    EXPECT_EQ(answer_to("\x04")->kind, Kind::leave);
}

}  // namespace sallyport::gateway
