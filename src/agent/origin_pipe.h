// origin_pipe.h: one stream that the relay opened, from its arrival to its end: accepted once its origin is connected, or
// refused; then octets are pumped both ways (tunnel/stream_pump.h). Lives on the stream's loop.
#pragma once
#include <functional>
#include <memory>

#include "tunnel/stream_pump.h"
#include "tunnel/tunnel.h"

namespace sallyport {

class OriginPipe final : private StreamPump::Owner {
public:
    // Called once, when both directions are over or one was cut. Dispose of it then (Loop::dispose).
    using OnOver = std::function<void(OriginPipe&)>;

    // Takes the stream over; octets that arrive before connected() are held.
    OriginPipe(Loop& loop, std::unique_ptr<IncomingStream> stream, OnOver on_over);
    OriginPipe(const OriginPipe&) = delete;
    OriginPipe& operator=(const OriginPipe&) = delete;

    // One of the two, once, unless it is over by then.
    void connected(TransportPtr origin);
    void refuse(const Refusal& refusal);

    bool over() const { return over_; }

private:
    void on_pump_over() override { finish(); }
    void finish();

    IncomingStream& stream_;  // the pump's
    OnOver on_over_;
    bool over_ = false;
    StreamPump pump_;
};

}  // namespace sallyport
