// buffer_budget.h: how many octets the loops of a process hold for peers that don't take them, and how many they may. Counted is
// what peers can make us keep: octets retained in tunnels, streams' unread octets, what waits for a socket, request heads and
// content, ClientHellos, what is between two loops.
//
// Counting is deep inside transports, streams and buffers, which know nothing of a relay: it goes to the share of the thread it
// happens on, a plain store, and nowhere where no share was given (agents). What one thread counts another may uncount; only
// the sum means anything.
#pragma once
#include <algorithm>
#include <atomic>
#include <cstdint>
#include <memory>

#include "base/octets.h"

namespace sallyport {

class BufferBudget {
public:
    BufferBudget(ByteCount bound, std::size_t threads);
    ~BufferBudget();  // threads that were given a share have ended, but for the caller's
    BufferBudget(const BufferBudget&) = delete;
    BufferBudget& operator=(const BufferBudget&) = delete;

    // Called once on each thread, with its number.
    void count_this_thread(std::size_t thread);

    // Any thread.
    void set_bound(ByteCount bound) { bound_.store(bound, std::memory_order_relaxed); }
    ByteCount bound() const { return bound_.load(std::memory_order_relaxed); }
    ByteCount held() const;
    std::uint64_t refused() const { return refused_.load(std::memory_order_relaxed); }

    // ---- For who counts, on its thread
    static void hold(std::size_t octets) { count(static_cast<std::int64_t>(octets)); }
    static void release(std::size_t octets) { count(-static_cast<std::int64_t>(octets)); }
    // Near the bound windows stop growing, at it nothing new begins. Both end by themselves as octets leave.
    static bool may_grow();
    static bool refuses_new();  // counts it as a refusal if so

private:
    struct alignas(64) Share {  // a cache line of its own: written all the time, by one thread
        std::atomic<std::int64_t> held{0};
        BufferBudget* budget = nullptr;
    };
    static void count(std::int64_t change) {
        if (Share* share = of_this_thread_) share->held.store(share->held.load(std::memory_order_relaxed) + change, std::memory_order_relaxed);
    }
    static inline thread_local constinit Share* of_this_thread_ = nullptr;

    std::atomic<ByteCount> bound_;
    std::atomic<std::uint64_t> refused_{0};
    const std::size_t threads_;
    const std::unique_ptr<Share[]> shares_;
};

// What an object holds at the moment: counted anew whenever it changes, uncounted with the object.
class HeldCount {
public:
    HeldCount() = default;
    ~HeldCount() { set(0); }
    HeldCount(const HeldCount&) = delete;
    HeldCount& operator=(const HeldCount&) = delete;
    void set(std::size_t octets) {
        if (octets == counted_) return;
        if (octets > counted_) BufferBudget::hold(octets - counted_);
        else BufferBudget::release(counted_ - octets);
        counted_ = octets;
    }

private:
    std::size_t counted_ = 0;
};

}  // namespace sallyport
