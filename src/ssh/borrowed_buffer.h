// borrowed_buffer.h: a loop's big buffer taken out for one call, so that whoever is called meanwhile finds it empty rather than in use.
#pragma once
#include <cstddef>
#include <utility>
#include <vector>

namespace sallyport::ssh {

class BorrowedBuffer {
public:
    BorrowedBuffer(std::vector<std::byte>& home, std::size_t size) : home_(home), octets_(std::exchange(home, {})) {
        if (octets_.size() < size) octets_.resize(size);
    }
    ~BorrowedBuffer() { home_ = std::move(octets_); }
    BorrowedBuffer(const BorrowedBuffer&) = delete;
    BorrowedBuffer& operator=(const BorrowedBuffer&) = delete;

    std::vector<std::byte>& octets() { return octets_; }

private:
    std::vector<std::byte>& home_;
    std::vector<std::byte> octets_;
};

}  // namespace sallyport::ssh
