#include "tunnel/retained_octets.h"

#include <algorithm>
#include <cassert>
#include <cstring>

#include "net/buffer_budget.h"

namespace sallyport {

RetainedOctets::~RetainedOctets() {
    while (!chunks_.empty()) drop_first_chunk();
}

void RetainedOctets::add_chunk() {
    const std::size_t capacity = end_ < kSaidLittle ? kFirstChunk : kChunk;
    std::unique_ptr<std::byte[]> octets;
    if (capacity == kChunk && !stock_.empty()) {
        octets = std::move(stock_.back());
        stock_.pop_back();
    } else {
        octets = std::make_unique_for_overwrite<std::byte[]>(capacity);
    }
    chunks_.push_back({std::move(octets), end_, 0, capacity});
    BufferBudget::hold(capacity);
}

void RetainedOctets::drop_first_chunk() {
    Chunk& first = chunks_.front();
    BufferBudget::release(first.capacity);
    if (first.capacity == kChunk && stock_.size() < kMostInStock) stock_.push_back(std::move(first.octets));
    chunks_.pop_front();
}

MutableOctets RetainedOctets::room() {
    if (chunks_.empty() || chunks_.back().capacity - chunks_.back().size < kUsefulRoom) add_chunk();
    Chunk& last = chunks_.back();
    return {last.octets.get() + last.size, last.capacity - last.size};
}

void RetainedOctets::commit(std::size_t octets) {
    assert(!chunks_.empty() && chunks_.back().size + octets <= chunks_.back().capacity);
    chunks_.back().size += octets;
    end_ += octets;
}

void RetainedOctets::append(Octets octets) {
    while (!octets.empty()) {
        const MutableOctets to = room();
        const std::size_t count = std::min(to.size(), octets.size());
        std::memcpy(to.data(), octets.data(), count);
        commit(count);
        octets = octets.subspan(count);
    }
}

Octets RetainedOctets::next() const {
    if (sent_ == end_) return {};
    // From the back: what is unsent stands near the end.
    auto chunk = chunks_.rbegin();
    while (chunk->begin > sent_) ++chunk;
    if (sent_ == chunk->begin + chunk->size) --chunk;
    const auto offset = static_cast<std::size_t>(sent_ - chunk->begin);
    return {chunk->octets.get() + offset, chunk->size - offset};
}

void RetainedOctets::mark_sent(std::size_t octets) {
    sent_ += octets;
    ever_sent_ = std::max(ever_sent_, sent_);
    assert(sent_ <= end_);
}

bool RetainedOctets::acknowledge(ByteCount position) {
    if (position > ever_sent_) return false;
    if (position <= acknowledged_) return true;  // an old one, overtaken
    acknowledged_ = position;
    sent_ = std::max(sent_, position);  // it came over an earlier connection and need not go again
    while (!chunks_.empty() && chunks_.front().begin + chunks_.front().size <= position) drop_first_chunk();
    return true;
}

bool RetainedOctets::rewind(ByteCount position) {
    if (!holds(position)) return false;
    sent_ = position;
    return true;
}

}  // namespace sallyport
