// transport_stream.h: a connection that somebody made to us, as the stream that it stands for: what the system's ssh
// forwards arrives on a socket of ours instead of a tunnel. Lives on one loop.
#pragma once
#include <memory>
#include <unordered_map>

#include "net/loop.h"
#include "net/transport.h"
#include "tunnel/tunnel.h"

namespace sallyport {

// Makes such streams, and keeps the connections of those that ended in order until the kernel has taken their last octets.
// Outlives the streams; destroying it cuts what still lingers.
class TransportStreams {
public:
    explicit TransportStreams(Loop& loop);
    ~TransportStreams();
    TransportStreams(const TransportStreams&) = delete;
    TransportStreams& operator=(const TransportStreams&) = delete;

    std::unique_ptr<IncomingStream> make(TransportPtr connection);

    static constexpr ByteCount kWindow = 256_KiB;  // received and not consumed; receiving pauses at it
    static constexpr std::chrono::seconds kLinger{30};

private:
    friend class TransportStream;
    class Lingering;
    void linger(TransportPtr connection);
    Loop& loop_;
    std::unordered_map<Lingering*, std::unique_ptr<Lingering>> lingering_;
};

}  // namespace sallyport
