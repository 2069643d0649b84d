#include "net/service_notifier.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <string>

#include "net/service_watchdog.h"

namespace sallyport {
namespace {

using namespace std::chrono_literals;

// What systemd is to a service: a datagram socket, here with an abstract name.
class Manager {
public:
    Manager() : socket_(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
        name_ = "sallyport-test-" + std::to_string(::getpid()) + "-" + std::to_string(reinterpret_cast<std::uintptr_t>(this));
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        std::memcpy(address.sun_path + 1, name_.data(), name_.size());
        const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + name_.size());
        EXPECT_EQ(::bind(socket_.get(), reinterpret_cast<const sockaddr*>(&address), size), 0);
        ::setenv("NOTIFY_SOCKET", ("@" + name_).c_str(), 1);
    }
    ~Manager() {
        for (const char* name : {"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"}) ::unsetenv(name);
    }
    std::string next(int flags = 0) {
        char buffer[1024];
        const ssize_t n = ::recv(socket_.get(), buffer, sizeof buffer, flags);
        return n < 0 ? "" : std::string(buffer, static_cast<std::size_t>(n));
    }

private:
    Descriptor socket_;
    std::string name_;
};

TEST(ServiceNotifier, SpeaksToTheManager) {
    Manager manager;
    const auto notifier = ServiceNotifier::from_environment();
    notifier.ready("serves\nMAINPID=1");
    EXPECT_EQ(manager.next(), "READY=1\nSTATUS=serves MAINPID=1");
    notifier.reloading();
    EXPECT_TRUE(manager.next().starts_with("RELOADING=1\nMONOTONIC_USEC="));
    notifier.stopping("drains");
    EXPECT_EQ(manager.next(), "STOPPING=1\nSTATUS=drains");
    notifier.main_pid(17);
    EXPECT_EQ(manager.next(), "MAINPID=17");
    EXPECT_FALSE(notifier.watchdog_interval());
}

TEST(ServiceNotifier, IsSilentWithoutOne) {
    ::unsetenv("NOTIFY_SOCKET");
    ServiceNotifier::from_environment().ready("x");
    ::setenv("NOTIFY_SOCKET", "relative", 1);
    ServiceNotifier::from_environment().ready("x");
    ::unsetenv("NOTIFY_SOCKET");
    ServiceNotifier().watchdog();
}

TEST(ServiceNotifier, KnowsWhoIsWatched) {
    Manager manager;
    ::setenv("WATCHDOG_USEC", "20000000", 1);
    EXPECT_EQ(ServiceNotifier::from_environment().watchdog_interval(), 10s);
    ::setenv("WATCHDOG_PID", "1", 1);
    EXPECT_FALSE(ServiceNotifier::from_environment().watchdog_interval());
    EXPECT_EQ(ServiceNotifier::from_environment(true).watchdog_interval(), 10s);
    ::setenv("WATCHDOG_PID", std::to_string(::getpid()).c_str(), 1);
    EXPECT_EQ(ServiceNotifier::from_environment().watchdog_interval(), 10s);
}

TEST(ServiceWatchdog, FallsSilentWhileALoopStandsStill) {
    Manager manager;
    ::setenv("WATCHDOG_USEC", "10000", 1);
    const auto notifier = ServiceNotifier::from_environment();
    Loop home, other;
    ServiceWatchdog watchdog(notifier, home, {&home, &other});
    watchdog.start();
    EXPECT_EQ(manager.next(), "WATCHDOG=1");
    for (int i = 0; i < 10; ++i) home.turn(10ms);
    EXPECT_EQ(manager.next(MSG_DONTWAIT), "") << "the other loop has not turned";
    other.turn(0ms);
    while (manager.next(MSG_DONTWAIT).empty()) home.turn(10ms);
}

}  // namespace
}  // namespace sallyport
