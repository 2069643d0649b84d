#include "tunnel/retained_octets.h"

#include <algorithm>
#include <cassert>
#include <cstring>

namespace sallyport {

void RetainedOctets::add_chunk() {
    auto octets = spare_ ? std::move(spare_) : std::make_unique_for_overwrite<std::byte[]>(kChunk);
    chunks_.push_back({std::move(octets), end_, 0});
}

MutableOctets RetainedOctets::room() {
    if (chunks_.empty() || kChunk - chunks_.back().size < kUsefulRoom) add_chunk();
    Chunk& last = chunks_.back();
    return {last.octets.get() + last.size, kChunk - last.size};
}

void RetainedOctets::commit(std::size_t octets) {
    assert(!chunks_.empty() && chunks_.back().size + octets <= kChunk);
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
    assert(sent_ <= end_);
}

bool RetainedOctets::acknowledge(ByteCount position) {
    if (position > sent_) return false;
    if (position <= acknowledged_) return true;  // an old one, overtaken
    acknowledged_ = position;
    while (!chunks_.empty() && chunks_.front().begin + chunks_.front().size <= position) {
        spare_ = std::move(chunks_.front().octets);
        chunks_.pop_front();
    }
    return true;
}

bool RetainedOctets::rewind(ByteCount position) {
    if (position < acknowledged_ || position > sent_) return false;
    sent_ = position;
    return true;
}

}  // namespace sallyport
