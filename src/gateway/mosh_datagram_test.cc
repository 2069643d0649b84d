#include "gateway/mosh_datagram.h"

#include <gtest/gtest.h>

namespace sallyport::gateway {
namespace {

const Secret kKey("ZHkDlFfYLtSGrXSZnd6O/Q");

}  // namespace

TEST(MoshDatagram, OpensWhatWasSealedWithTheKeyAndNothingElse) {
    auto opener = MoshDatagramOpener::make(kKey);
    ASSERT_TRUE(opener);
    const MoshDatagram sent{MoshDatagram::Direction::to_client, 7, 1'000, 65'000};
    auto datagram = opener->seal(sent, as_octets("fragment"));
    const auto got = opener->open(datagram);
    ASSERT_TRUE(got);
    EXPECT_EQ(got->direction, MoshDatagram::Direction::to_client);
    EXPECT_EQ(got->sequence, 7u);
    EXPECT_EQ(got->timestamp, 1'000);
    EXPECT_EQ(got->timestamp_reply, 65'000);
    for (std::size_t i = 0; i < datagram.size(); ++i) {
        datagram[i] ^= std::byte{1};
        EXPECT_FALSE(opener->open(datagram)) << i;
        datagram[i] ^= std::byte{1};
    }
    for (std::size_t size = 0; size < datagram.size(); ++size) EXPECT_FALSE(opener->open(Octets(datagram).first(size)));
    EXPECT_FALSE(opener->open(std::vector<std::byte>(kMostMoshDatagram + 1)));
    EXPECT_TRUE(opener->open(datagram));
    EXPECT_FALSE(MoshDatagramOpener::make(Secret("AAAAAAAAAAAAAAAAAAAAAA"))->open(datagram));
}

TEST(MoshDatagram, WithoutATimeStampToGiveBackThereIsNone) {
    auto opener = MoshDatagramOpener::make(kKey);
    EXPECT_FALSE(opener->open(opener->seal({MoshDatagram::Direction::to_server, 0, 1, std::nullopt}, {}))->timestamp_reply);
}

TEST(MoshDatagram, RefusesAKeyThatIsNone) {
    for (const char* text : {"", "short", "ZHkDlFfYLtSGrXSZnd6O/Q==", "ZHkDlFfYLtSGrXSZnd6O Q"}) EXPECT_FALSE(MoshDatagramOpener::make(Secret(text)));
}

TEST(SequenceLoss, CountsWhatIsMissingAndForgivesReordering) {
    SequenceLoss none;
    for (std::uint64_t i = 100; i < 115; ++i) none.note(i);
    EXPECT_FALSE(none.loss());
    none.note(115);
    EXPECT_EQ(none.loss(), 0.0);

    SequenceLoss half;
    for (std::uint64_t i = 0; i < 200; i += 2) half.note(i);
    EXPECT_NEAR(*half.loss(), 0.5, 0.02);
    for (std::uint64_t i = 199; i > 100; i -= 2) half.note(i);
    EXPECT_EQ(half.loss(), 0.0);
    half.note(199 + 1'000'000);
    EXPECT_GT(*half.loss(), 0.9);
}

}  // namespace sallyport::gateway
