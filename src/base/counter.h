// counter.h: a figure that one thread counts and any thread reads (relaxed: each value is right, two may be a moment apart).
#pragma once
#include <atomic>
#include <cstdint>

namespace sallyport {

// One writer, so that adding needs no locked instruction.
class Counter {
public:
    void add(std::uint64_t n = 1) { value_.store(value_.load(std::memory_order_relaxed) + n, std::memory_order_relaxed); }
    void subtract(std::uint64_t n = 1) { value_.store(value_.load(std::memory_order_relaxed) - n, std::memory_order_relaxed); }
    std::uint64_t value() const { return value_.load(std::memory_order_relaxed); }

private:
    std::atomic<std::uint64_t> value_{0};
};

}  // namespace sallyport
