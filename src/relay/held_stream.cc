#include "relay/held_stream.h"

#include <algorithm>

namespace sallyport::relay {

HeldStream::HeldStream(Loop& loop, Owner& owner, Open open, Queue queue, std::chrono::milliseconds longest)
    : owner_(&owner), open_(std::move(open)), queue_(std::move(queue)), deadline_(loop, [this] { this->open(); }) {
    queue_->push_back(this);
    deadline_.start(longest);
}

void HeldStream::leave() {
    std::erase(*queue_, this);
    deadline_.cancel();
}

void HeldStream::open_all(const Queue& queue) {
    while (!queue->empty()) queue->front()->open();
}

void HeldStream::open() {
    leave();
    if (!owner_ || !open_) return;
    auto opened = std::exchange(open_, nullptr)(*owner_);
    if (opened) {
        stream_ = std::move(*opened);
        if (woken_) stream_->wake();
        return;
    }
    const bool full = opened.error().code == Errc::no_space;
    if (full) owner_->on_stream_refused({503, "connection_limit_reached", opened.error().detail});
    else owner_->on_stream_reset({Errc::unreachable, opened.error().detail});
}

void HeldStream::wake() {
    woken_ = true;
    if (stream_) stream_->wake();
}

void HeldStream::consumed(ByteCount octets) {
    if (stream_) stream_->consumed(octets);
}

void HeldStream::reset() {
    owner_ = nullptr;
    leave();
    if (stream_) stream_->reset();
}

}  // namespace sallyport::relay
