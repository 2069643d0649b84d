#include "gateway/octet_queue.h"

#include <gtest/gtest.h>

#include <array>

namespace sallyport::gateway {
namespace {

std::string take(OctetQueue& queue, std::size_t most) {
    std::string out(most, '\0');
    out.resize(queue.take(std::as_writable_bytes(std::span(out))));
    return out;
}

TEST(OctetQueue, GivesBackWhatWasPutInOrder) {
    OctetQueue queue;
    std::string in, out;
    for (int i = 0; i < 1'000; ++i) {
        const std::string piece(static_cast<std::size_t>(i % 37), static_cast<char>('a' + i % 26));
        queue.put(as_octets(piece));
        in += piece;
        out += take(queue, static_cast<std::size_t>(i % 29));
    }
    EXPECT_EQ(queue.size(), in.size() - out.size());
    out += take(queue, in.size());
    EXPECT_EQ(out, in);
    EXPECT_TRUE(queue.empty());
    EXPECT_EQ(take(queue, 10), "");
}

}  // namespace
}  // namespace sallyport::gateway
