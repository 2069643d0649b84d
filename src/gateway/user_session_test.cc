#include "gateway/user_session.h"

#include <gtest/gtest.h>

#include <array>
#include <cstdio>
#include <cstdlib>

namespace sallyport::gateway {
namespace {

std::string run(const std::string& command) {
    std::string out;
    FILE* const pipe = ::popen(command.c_str(), "r");
    std::array<char, 256> octets{};
    while (pipe && std::fgets(octets.data(), octets.size(), pipe)) out += octets.data();
    if (pipe) ::pclose(pipe);
    return out;
}

TEST(ForcedCommand, TakesThePlaceOfWhatWasAskedFor) {
    EXPECT_EQ(forced_command("id -u", ""), "id -u");
    for (const std::string original : {"ls", "a'b", "x; echo oops", "$(echo oops)", "\"", "'; echo oops; '", "a\nb", "\\"})
        EXPECT_EQ(run(forced_command("printf '%s|' \"$SSH_ORIGINAL_COMMAND\" end", original)), original + "|end|") << original;
}

}  // namespace
}  // namespace sallyport::gateway
