// octet_queue.h: octets on their way from one channel to another. Bounded by whoever fills it (a channel's window).
#pragma once
#include <algorithm>
#include <cstring>
#include <string>

#include "base/octets.h"

namespace sallyport::gateway {

class OctetQueue {
public:
    void put(Octets octets) {
        if (taken_ > 0 && taken_ >= held_.size() / 2) drop_taken();
        held_.append(as_text(octets));
    }
    std::size_t take(MutableOctets room) {
        const std::size_t count = std::min(room.size(), size());
        if (count > 0) std::memcpy(room.data(), held_.data() + taken_, count);
        taken_ += count;
        if (taken_ == held_.size()) clear();
        return count;
    }
    std::size_t size() const { return held_.size() - taken_; }
    bool empty() const { return size() == 0; }
    void clear() {
        taken_ = 0;
        if (held_.capacity() > kKept) std::string().swap(held_);  // an idle channel holds little
        else held_.clear();
    }

private:
    static constexpr std::size_t kKept = 4096;
    void drop_taken() {
        held_.erase(0, taken_);
        taken_ = 0;
    }
    std::string held_;
    std::size_t taken_ = 0;
};

}  // namespace sallyport::gateway
