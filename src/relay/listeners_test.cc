#include "relay/listeners.h"

#include <gtest/gtest.h>

namespace sallyport::relay {
namespace {

TEST(Listeners, ShareThePortThatTheKernelChose) {
    const auto listeners = listen_on({"127.0.0.1", 0}, 3, "https_listen");
    ASSERT_TRUE(listeners) << listeners.error().detail;
    ASSERT_EQ(listeners->descriptors.size(), 3u);
    EXPECT_NE(listeners->address.port(), 0);
    for (const Descriptor& descriptor : listeners->descriptors)
        EXPECT_EQ(SocketAddress::local_of(descriptor.get()).port(), listeners->address.port());
}

TEST(Listeners, NoticeAnotherRelayOnTheirPort) {
    const auto first = listen_on({"127.0.0.1", 0}, 2, "https_listen");
    ASSERT_TRUE(first);
    const auto second = listen_on({"127.0.0.1", first->address.port()}, 2, "https_listen");
    ASSERT_FALSE(second);
    EXPECT_EQ(second.error().code, Errc::address_in_use);
    EXPECT_NE(second.error().detail.find("https_listen"), std::string::npos);
}

TEST(Listeners, TakeBothFamiliesWhereNoAddressIsGiven) {
    const auto listeners = listen_on({"", 0}, 1, "https_listen");
    ASSERT_TRUE(listeners) << listeners.error().detail;
}

TEST(Listeners, TellOfAnAddressThatIsNotOurs) {
    const auto listeners = listen_on({"192.0.2.1", 0}, 1, "https_listen");
    ASSERT_FALSE(listeners);
    EXPECT_NE(listeners.error().detail.find("192.0.2.1"), std::string::npos);
}

}  // namespace
}  // namespace sallyport::relay
