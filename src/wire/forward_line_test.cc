#include "wire/forward_line.h"

#include <gtest/gtest.h>

namespace sallyport {
namespace {

std::string show(std::string_view text) {
    const auto line = parse_forward_line(text);
    return line ? line->listen.text() + " > " + line->destination() : std::string(name_of(line.error().code));
}

TEST(ForwardLine, ReadsWhatSshReads) {
    const std::pair<std::string_view, std::string_view> table[] = {
        {"127.0.0.1:1883:core-mosquitto:1883", "127.0.0.1:1883 > core-mosquitto:1883"},
        {"1883:core-mosquitto:1883", "127.0.0.1:1883 > core-mosquitto:1883"},
        {"*:1883:10.0.0.9:1884", ":1883 > 10.0.0.9:1884"},
        {":1883:h:1", ":1883 > h:1"},
        {"localhost:22:nas.lan:22", "127.0.0.1:22 > nas.lan:22"},
        {"[::1]:22:[2001:db8::1]:23", "[::1]:22 > [2001:db8::1]:23"},
        {"0:h:1", "127.0.0.1:0 > h:1"},
        {"", "invalid_argument"},
        {"1883", "invalid_argument"},
        {"core-mosquitto:1883", "invalid_argument"},
        {"1883:h:0", "invalid_argument"},
        {"1883:h:70000", "invalid_argument"},
        {"70000:h:1", "invalid_argument"},
        {"x:h:1", "invalid_argument"},
        {"relay.example:1883:h:1", "invalid_argument"},
        {"1883:[::1:1", "invalid_argument"},
        {"1883:a b:1", "invalid_argument"},
        {":::1", "invalid_argument"},
    };
    for (const auto& [in, expected] : table) EXPECT_EQ(show(in), expected) << in;
}

}  // namespace
}  // namespace sallyport
