#include "gateway/mosh_output_filter.h"

#include <gtest/gtest.h>

namespace sallyport::gateway {
namespace {

struct Filtered {
    std::string text;
    std::optional<int> status;
};

Filtered filter(std::string_view in, std::size_t cut) {
    MoshOutputFilter filter("abcd");
    Filtered out;
    out.text += as_text(filter.feed(as_octets(in.substr(0, cut))));
    out.text += as_text(filter.feed(as_octets(in.substr(cut))));
    out.text += as_text(filter.finish());
    out.status = filter.exit_status();
    return out;
}

}  // namespace

TEST(MoshOutputFilter, TakesOutTheExitTitleAndTheFarewellHoweverTheyAreCut) {
    struct Row {
        std::string_view in, out;
        std::optional<int> status;
    };
    const Row table[] = {
        {"plain text", "plain text", std::nullopt},
        {"a\x1b]0;sallyport-exit-abcd-7\ab[mosh is exiting.]\n", "ab", 7},
        {"a\x1b]0;sallyport-exit-abcd-255\a\x1b[0m[mosh is exiting.]\r\n", "a\x1b[0m", 255},
        {"\x1b]0;sallyport-exit-abce-7\a", "\x1b]0;sallyport-exit-abce-7\a", std::nullopt},
        {"\x1b]0;sallyport-exit-abcd-\a", "\x1b]0;sallyport-exit-abcd-\a", std::nullopt},
        {"\x1b]0;sallyport-exit-abcd-1234\a", "\x1b]0;sallyport-exit-abcd-1234\a", std::nullopt},
        {"\x1b]0;sallyport-exit-abcd-12", "\x1b]0;sallyport-exit-abcd-12", std::nullopt},
        {"[mosh is exiting.]\nmore", "[mosh is exiting.]\nmore", std::nullopt},
        {"[mosh is exiting", "[mosh is exiting", std::nullopt},
        {"[[[\x1b\x1b[", "[[[\x1b\x1b[", std::nullopt},
    };
    for (const Row& row : table) {
        for (std::size_t cut = 0; cut <= row.in.size(); ++cut) {
            const Filtered got = filter(row.in, cut);
            EXPECT_EQ(got.text, row.out) << row.in << " cut at " << cut;
            EXPECT_EQ(got.status, row.status) << row.in << " cut at " << cut;
        }
    }
}

}  // namespace sallyport::gateway
