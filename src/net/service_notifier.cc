#include "net/service_notifier.h"

#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <charconv>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <ctime>

namespace sallyport {
namespace {

std::string_view variable(const char* name) {
    const char* value = std::getenv(name);
    return value ? value : "";
}

std::optional<std::uint64_t> number(std::string_view text) {
    std::uint64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (text.empty() || error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
    return value;
}

std::uint64_t monotonic_us() {
    timespec now{};
    ::clock_gettime(CLOCK_MONOTONIC, &now);
    return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000 + static_cast<std::uint64_t>(now.tv_nsec) / 1'000;
}

// One line: whatever it holds, it must not begin another assignment.
std::string line(std::string_view text) {
    std::string one(text.substr(0, 200));
    for (char& c : one)
        if (static_cast<unsigned char>(c) < 0x20) c = ' ';
    return one;
}

}  // namespace

ServiceNotifier ServiceNotifier::from_environment(bool successor) {
    ServiceNotifier notifier;
    const std::string_view address = variable("NOTIFY_SOCKET");
    if (address.size() < 2 || address.size() >= sizeof(sockaddr_un::sun_path) || (address[0] != '/' && address[0] != '@'))
        return notifier;
    notifier.socket_.reset(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    if (!notifier.socket_) return notifier;
    const timeval patience{.tv_sec = 1, .tv_usec = 0};
    ::setsockopt(notifier.socket_.get(), SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    notifier.address_ = address;
    const auto usec = number(variable("WATCHDOG_USEC"));
    const auto pid = number(variable("WATCHDOG_PID"));
    const bool meant_for_us = successor || !pid || *pid == static_cast<std::uint64_t>(::getpid());
    if (usec && *usec >= 2'000 && meant_for_us) notifier.watchdog_interval_ = std::chrono::milliseconds(*usec / 2'000);
    return notifier;
}

void ServiceNotifier::tell(std::string_view lines) const {
    if (!socket_) return;
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, address_.data(), address_.size());
    if (address_[0] == '@') address.sun_path[0] = '\0';
    const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + address_.size());
    ::sendto(socket_.get(), lines.data(), lines.size(), MSG_NOSIGNAL, reinterpret_cast<const sockaddr*>(&address), size);
}

void ServiceNotifier::ready(std::string_view text) const { tell("READY=1\nSTATUS=" + line(text)); }
void ServiceNotifier::reloading() const { tell("RELOADING=1\nMONOTONIC_USEC=" + std::to_string(monotonic_us())); }
void ServiceNotifier::stopping(std::string_view text) const { tell("STOPPING=1\nSTATUS=" + line(text)); }
void ServiceNotifier::status(std::string_view text) const { tell("STATUS=" + line(text)); }
void ServiceNotifier::main_pid(pid_t pid) const { tell("MAINPID=" + std::to_string(pid)); }
void ServiceNotifier::watchdog() const { tell("WATCHDOG=1"); }

}  // namespace sallyport
