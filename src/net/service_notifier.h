// service_notifier.h: tells the service manager how a program is: the protocol of sd_notify(3), a datagram of KEY=value lines to
// the socket that $NOTIFY_SOCKET names. Without one, everything here does nothing. Any thread. A manager that doesn't read is
// waited for at most a second.
#pragma once
#include <sys/types.h>

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include "net/descriptor.h"

namespace sallyport {

class ServiceNotifier {
public:
    ServiceNotifier() = default;  // nobody is told

    // Of NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID. `successor`: this process takes the service over from another one, for
    // which WATCHDOG_PID was meant.
    static ServiceNotifier from_environment(bool successor = false);

    explicit operator bool() const { return static_cast<bool>(socket_); }  // somebody is told

    void ready(std::string_view status) const;
    void reloading() const;  // ends with ready()
    void stopping(std::string_view status) const;
    void status(std::string_view text) const;
    void main_pid(pid_t pid) const;  // from now on that process is the service
    void watchdog() const;

    // How often watchdog() is to be called: half of what the manager waits. Nothing: it doesn't watch.
    std::optional<std::chrono::milliseconds> watchdog_interval() const { return watchdog_interval_; }

private:
    void tell(std::string_view lines) const;
    std::string address_;  // "@name": abstract
    Descriptor socket_;
    std::optional<std::chrono::milliseconds> watchdog_interval_;
};

}  // namespace sallyport
