#include "net/address_watch.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <cstring>
#include <thread>

namespace sallyport {
namespace {

bool set_loopback(int request, const char* address, short flags) {
    const Descriptor socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    ifreq wish{};
    std::strcpy(wish.ifr_name, "lo");
    if (request == SIOCSIFFLAGS) {
        wish.ifr_flags = flags;
    } else {
        auto* wanted = reinterpret_cast<sockaddr_in*>(&wish.ifr_addr);
        wanted->sin_family = AF_INET;
        ::inet_pton(AF_INET, address, &wanted->sin_addr);
    }
    return ::ioctl(socket.get(), static_cast<unsigned long>(request), &wish) == 0;
}

// In a network namespace of its own thread, where nothing else changes.
TEST(AddressWatch, TellsABurstOnce) {
    bool may = true;
    std::thread([&] {
        if (::unshare(CLONE_NEWNET) != 0 && ::unshare(CLONE_NEWUSER | CLONE_NEWNET) != 0) {
            may = false;
            return;
        }
        Loop loop;
        int told = 0;
        const AddressWatch watch(loop, [&] { ++told; });
        if (!watch.watching() || !set_loopback(SIOCSIFFLAGS, "", IFF_UP)) {
            may = false;
            return;
        }
        for (const char* address : {"198.18.0.1", "198.18.0.2", "198.18.0.3"})
            EXPECT_TRUE(set_loopback(SIOCSIFADDR, address, 0));
        const TimePoint end = Clock::now() + std::chrono::seconds(30);
        while (told == 0 && Clock::now() < end) loop.turn(std::chrono::milliseconds(20));
        EXPECT_EQ(told, 1);
        EXPECT_TRUE(set_loopback(SIOCSIFADDR, "198.18.0.4", 0));
        while (told == 1 && Clock::now() < end) loop.turn(std::chrono::milliseconds(20));
        EXPECT_EQ(told, 2);
    }).join();
    if (!may) GTEST_SKIP() << "no network namespaces here";
}

}  // namespace
}  // namespace sallyport
