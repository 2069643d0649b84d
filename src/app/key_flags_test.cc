#include "app/key_flags.h"

#include <CLI/CLI.hpp>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>

namespace sallyport::app {
namespace {

constexpr std::array kKeys{
    KeyInfo{"some_key", "TEXT", "a value"},
    KeyInfo{"a_switch", "BOOL", "on or off"},
    KeyInfo{"hidden", "SECRET", "never on a command line", false},
    KeyInfo{"own", "TEXT", "the command adds it itself"},
};
using Flags = std::vector<std::pair<std::string, std::string>>;

Flags flags_of(std::vector<std::string> words) {
    CLI::App command;
    KeyFlags flags(command, kKeys, {"own"});
    std::ranges::reverse(words);
    command.parse(words);
    return flags.sources()->flags;
}

TEST(KeyFlags, AreMadeFromTheKeys) {
    EXPECT_EQ(flags_of({"--some-key", "x"}), (Flags{{"some_key", "x"}}));
    EXPECT_EQ(flags_of({"--a-switch", "false", "--some-key=y"}), (Flags{{"some_key", "y"}, {"a_switch", "false"}}));
    EXPECT_EQ(flags_of({}), Flags{});
}

TEST(KeyFlags, TakeASwitchWithoutAValueAsTrue) { EXPECT_EQ(flags_of({"--a-switch"}), (Flags{{"a_switch", "true"}})); }

TEST(KeyFlags, HaveNoneForSecretsAndForWhatTheCommandAddsItself) {
    EXPECT_THROW(flags_of({"--hidden", "x"}), CLI::ParseError);
    EXPECT_THROW(flags_of({"--own", "x"}), CLI::ParseError);
}

TEST(KeyFlags, TellOfAFileThatIsNotThere) {
    CLI::App command;
    KeyFlags flags(command, kKeys);
    command.parse(std::vector<std::string>{"/nowhere/relay.yaml", "--config"});
    ASSERT_FALSE(flags.sources());
    EXPECT_NE(flags.sources().error().detail.find("/nowhere/relay.yaml"), std::string::npos);
}

}  // namespace
}  // namespace sallyport::app
