#include "net/message_channel.h"

#include <fcntl.h>
#include <gtest/gtest.h>

namespace sallyport {
namespace {

using namespace std::chrono_literals;

TimePoint soon() { return Clock::now() + 30s; }

TEST(MessageChannel, KeepsBordersAndCarriesDescriptors) {
    auto [here, there] = *MessageChannel::make();
    int pipe_ends[2];
    ASSERT_EQ(::pipe2(pipe_ends, O_CLOEXEC), 0);
    const Descriptor read_end(pipe_ends[0]);
    Descriptor write_end(pipe_ends[1]);
    ASSERT_TRUE(here.send("one", soon()));
    ASSERT_TRUE(here.send("two", soon(), write_end.get()));
    write_end.reset();
    EXPECT_EQ(there.receive(soon())->text, "one");
    auto second = there.receive(soon());
    ASSERT_TRUE(second);
    EXPECT_EQ(second->text, "two");
    ASSERT_TRUE(second->descriptor);
    EXPECT_NE(::fcntl(second->descriptor.get(), F_GETFD) & FD_CLOEXEC, 0);
    ASSERT_EQ(::write(second->descriptor.get(), "x", 1), 1);
    char got = 0;
    EXPECT_EQ(::read(read_end.get(), &got, 1), 1);
    EXPECT_EQ(got, 'x');
}

TEST(MessageChannel, TellsSilenceFromAnEnd) {
    auto [here, there] = *MessageChannel::make();
    EXPECT_EQ(there.receive(Clock::now() + 1ms).error().code, Errc::timeout);
    ASSERT_TRUE(here.send("last", soon()));
    here.close();
    EXPECT_EQ(there.receive(soon())->text, "last");
    EXPECT_EQ(there.receive(soon()).error().code, Errc::reset);
    EXPECT_EQ(there.send("x", soon()).error().code, Errc::reset);
}

TEST(MessageChannel, RefusesWhatIsTooLong) {
    auto [here, there] = *MessageChannel::make();
    EXPECT_TRUE(here.send(std::string(MessageChannel::kMaxMessage, 'x'), soon()));
    EXPECT_EQ(here.send(std::string(MessageChannel::kMaxMessage + 1, 'x'), soon()).error().code, Errc::too_large);
}

}  // namespace
}  // namespace sallyport
