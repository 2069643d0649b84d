#include "relay/held_stream.h"

#include <gtest/gtest.h>

#include <optional>

namespace sallyport::relay {
namespace {

using namespace std::chrono_literals;

struct Seen final : Stream::Owner {
    void on_stream_accepted() override { said += "accepted "; }
    void on_stream_refused(const Refusal& refusal) override { said += "refused " + std::to_string(refusal.status) + " "; }
    void on_stream_octets(Octets) override {}
    void on_stream_end() override {}
    void on_stream_reset(const Error&) override { said += "reset "; }
    Stream::Pulled on_stream_pull(MutableOctets) override { return {}; }
    std::string said;
};

struct Inner final : Stream {
    explicit Inner(std::string& log) : log_(log) {}
    void wake() override { log_ += "wake "; }
    void consumed(ByteCount octets) override { log_ += "consumed " + std::to_string(octets) + " "; }
    void reset() override { log_ += "reset "; }
    std::string& log_;
};

struct HeldStreamTest : testing::Test {
    std::unique_ptr<HeldStream> make(std::chrono::milliseconds longest = 1h) {
        return std::make_unique<HeldStream>(loop, seen, [this](Stream::Owner& owner) -> Result<StreamPtr> {
            ++opened;
            if (failure) return std::unexpected(*failure);
            owner.on_stream_accepted();
            return std::make_unique<Inner>(log); }, queue, longest);
    }
    Loop loop;
    Seen seen;
    HeldStream::Queue queue = std::make_shared<std::vector<HeldStream*>>();
    std::optional<Error> failure;
    std::string log;
    int opened = 0;
};

TEST_F(HeldStreamTest, WaitsAndThenPassesThrough) {
    const auto one = make(), other = make();
    one->wake();
    one->consumed(1);
    EXPECT_EQ(opened, 0);
    HeldStream::open_all(queue);
    EXPECT_EQ(opened, 2);
    EXPECT_EQ(log, "wake ");
    one->consumed(7);
    one->reset();
    EXPECT_EQ(log, "wake consumed 7 reset ");
    EXPECT_TRUE(queue->empty());
}

TEST_F(HeldStreamTest, WaitsNoLongerThanItMay) {
    const auto held = make(1ms);
    while (opened == 0) loop.turn(100ms);
    EXPECT_EQ(seen.said, "accepted ");
    EXPECT_TRUE(queue->empty());
}

TEST_F(HeldStreamTest, WhoLeavesIsNotCalled) {
    auto gone = make();
    const auto given_up = make();
    gone.reset();
    given_up->reset();
    HeldStream::open_all(queue);
    EXPECT_EQ(opened, 0);
    EXPECT_EQ(seen.said, "");
}

TEST_F(HeldStreamTest, TellsWhyItCouldNotBeOpened) {
    failure = Error{Errc::no_space, "full"};
    const auto one = make();
    one->open();
    failure = Error{Errc::reset, "gone"};
    const auto other = make();
    other->open();
    EXPECT_EQ(seen.said, "refused 503 reset ");
}

}  // namespace
}  // namespace sallyport::relay
