#include "net/service_watchdog.h"

namespace sallyport {

ServiceWatchdog::ServiceWatchdog(const ServiceNotifier& notifier, Loop& home, std::vector<Loop*> loops)
    : notifier_(notifier), loops_(std::move(loops)), timer_(home, [this] { tick(); }) {}

void ServiceWatchdog::start() {
    if (notifier_.watchdog_interval()) tick();
}

void ServiceWatchdog::stop() { timer_.cancel(); }

void ServiceWatchdog::tick() {
    timer_.start(*notifier_.watchdog_interval());
    if (*missing_ > 0) return;
    notifier_.watchdog();
    *missing_ = loops_.size();
    for (Loop* loop : loops_) loop->post([missing = missing_] { --*missing; });
}

}  // namespace sallyport
