// permit_gate.h: how many requests of one agent are in flight, over all loops, and who waits for a place, first come first served.
// A permit given back goes straight to the one who waits longest, so nobody new overtakes. Without waiters all of it is
// two atomic operations. Any thread.
#pragma once
#include <atomic>
#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>

#include "edge/origins.h"
#include "net/loop.h"

namespace sallyport::relay {

class PermitGate : public std::enable_shared_from_this<PermitGate> {
public:
    using Permit = Origins::Permit;

    explicit PermitGate(unsigned limit) : limit_(limit) {}

    void set_limit(unsigned limit);  // permits beyond a smaller limit run out by themselves
    unsigned in_flight() const { return in_flight_.load(std::memory_order_relaxed); }

    // Null if none is free or others wait already.
    std::unique_ptr<Permit> try_acquire();

    // `on_permit` is called on `loop`, which is the caller's own: with a permit, or with Errc::timeout after `longest`.
    std::unique_ptr<Origins::Wait> acquire_within(Loop& loop, std::chrono::milliseconds longest, Origins::OnPermit on_permit);

private:
    class Held;
    class Waiting;
    struct Ticket;

    bool take();
    void give_back();
    void serve_waiters();

    std::atomic<unsigned> limit_;
    std::atomic<unsigned> in_flight_{0};
    std::atomic<unsigned> waiting_count_{0};
    std::mutex mutex_;  // guards the two below; touched only while somebody waits
    std::map<std::uint64_t, std::shared_ptr<Ticket>> waiting_;  // by number, so first come first served
    std::uint64_t next_number_ = 0;
};

}  // namespace sallyport::relay
