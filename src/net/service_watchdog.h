// service_watchdog.h: keeps a service manager's watchdog quiet while every loop turns, and only then: on each tick it tells the
// manager if all loops have answered since the last one, and asks them again. Lives on one of the loops; nothing is asked where the
// manager doesn't watch. All the loops outlive it, or end first.
#pragma once
#include <atomic>
#include <memory>
#include <vector>

#include "net/loop.h"
#include "net/service_notifier.h"

namespace sallyport {

class ServiceWatchdog {
public:
    ServiceWatchdog(const ServiceNotifier& notifier, Loop& home, std::vector<Loop*> loops);
    void start();  // on the home loop, or before it runs
    void stop();   // on the home loop: another process is the service now

private:
    void tick();

    const ServiceNotifier& notifier_;
    std::vector<Loop*> loops_;
    std::shared_ptr<std::atomic<std::size_t>> missing_ = std::make_shared<std::atomic<std::size_t>>(0);
    Timer timer_;
};

}  // namespace sallyport
