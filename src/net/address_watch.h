// address_watch.h: tells when the machine's addresses or routes change (rtnetlink(7)): a new lease, another uplink, a VPN that
// comes or goes. What changed is not read, only that something did; a burst is told once. Lives on one loop.
// Harmless where the kernel gives no such socket: then it never tells.
#pragma once
#include <chrono>
#include <functional>
#include <optional>

#include "net/descriptor.h"
#include "net/loop.h"

namespace sallyport {

class AddressWatch final : private Watch::Owner {
public:
    // From the first change of a burst until it is told, so that what follows it is settled: at most two calls a second,
    // however much the routes flap.
    static constexpr std::chrono::milliseconds kSettling{500};

    AddressWatch(Loop& loop, std::function<void()> on_change);
    AddressWatch(const AddressWatch&) = delete;
    AddressWatch& operator=(const AddressWatch&) = delete;

    bool watching() const { return watch_.has_value(); }

private:
    void on_readable() override;
    void on_writable() override {}

    Descriptor socket_;
    Timer settling_;
    std::optional<Watch> watch_;
};

}  // namespace sallyport
