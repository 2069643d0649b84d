#include "agent/origin_pipe.h"

namespace sallyport {

OriginPipe::OriginPipe(Loop& loop, std::unique_ptr<IncomingStream> stream, OnOver on_over)
    : stream_(*stream), on_over_(std::move(on_over)), pump_(loop, *this) {
    stream_.set_owner(pump_.stream_owner());
    pump_.take(std::move(stream));
}

void OriginPipe::connected(TransportPtr origin) {
    if (over_) return;
    stream_.accept();
    if (over_) return origin->abort();
    pump_.connect(std::move(origin));
}

void OriginPipe::refuse(const Refusal& refusal) {
    if (over_) return;
    stream_.refuse(refusal);
    pump_.forget();
    finish();
}

void OriginPipe::finish() {
    if (std::exchange(over_, true)) return;
    if (on_over_) on_over_(*this);
}

}  // namespace sallyport
