// test_octets.h: octets that nothing can compress and both ends can make, for measuring whether all of them arrive: a sequence
// (SplitMix64) that a seed decides, and SHA-256 over what came. Nothing secret. Pure.
#pragma once
#include <cstdint>
#include <memory>
#include <string>

#include "base/octets.h"

namespace sallyport {

class TestOctets {
public:
    explicit TestOctets(std::uint64_t seed) : state_(seed) {}
    // The next so many of them, at the front of `room` or all of it; the sequence doesn't depend on how it is cut.
    void fill(MutableOctets room);

private:
    std::uint64_t next();
    std::uint64_t state_;
    std::uint64_t word_ = 0;
    unsigned left_ = 0;  // octets of word_ not given yet
};

class Sha256 {
public:
    Sha256();
    ~Sha256();
    Sha256(const Sha256&) = delete;
    Sha256& operator=(const Sha256&) = delete;
    void add(Octets octets);
    std::string hex();  // once, after all

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

// Of the first `octets` of a sequence.
std::string sha256_of_test_octets(std::uint64_t seed, ByteCount octets);

}  // namespace sallyport
