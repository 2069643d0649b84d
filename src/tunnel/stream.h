// stream.h: one octet stream inside a tunnel (RFC 9113 8.5, CONNECT), both directions independent. Lives on its owner's loop.
//
// Receiving is pushed, bounded by the stream's flow-control window: the owner takes everything and says consumed() when
// octets have left its hands, which gives the sender credit anew. Sending is pulled: wake() says there is something, then
// the tunnel calls on_stream_pull() while it has room, often inside wake() itself, so that octets need no buffer between.
// Destroying a Stream that isn't over resets it (CANCEL). Never destroy it inside one of its own callbacks: Loop::dispose.
#pragma once
#include <memory>
#include <string>

#include "base/octets.h"
#include "base/result.h"

namespace sallyport {

// Why a stream could not be opened: an HTTP status and, in the terms of RFC 9209, the cause.
struct Refusal {
    int status = 502;      // 403 target not allowed, 502, 503 too many streams, 504
    std::string cause;     // proxy-status error token: "connection_refused", "dns_error", "tls_certificate_error", …
    std::string details;   // for people; bounded to 256 octets, from the other side: escape before showing
};

class Stream {
public:
    struct Pulled {
        std::size_t octets = 0;
        bool end = false;  // nothing follows: ends our direction (END_STREAM)
    };

    class Owner {
    public:
        virtual void on_stream_accepted() = 0;                      // the far side has connected (200)
        virtual void on_stream_refused(const Refusal& refusal) = 0; // the stream is over
        virtual void on_stream_octets(Octets octets) = 0;           // valid during the call only
        virtual void on_stream_end() = 0;                           // the peer ended its direction in order
        // Cut by the peer (Errc::reset), or the tunnel is gone (Errc::unreachable); the stream is over.
        virtual void on_stream_reset(const Error& error) = 0;
        // Writes at most `room.size()` octets (never 0) to the front of `room`. {0, false} means: nothing now, wake() follows.
        virtual Pulled on_stream_pull(MutableOctets room) = 0;

    protected:
        ~Owner() = default;
    };

    virtual ~Stream() = default;
    virtual void wake() = 0;
    virtual void consumed(ByteCount octets) = 0;
    // Cuts both directions now; no calls to the owner after it. The far side sees a reset, never a complete end.
    virtual void reset() = 0;
};

using StreamPtr = std::unique_ptr<Stream>;

// How a stream is asked for.
struct OpenRequest {
    std::string target;     // name of an entry of the agent's table; `:authority` octet for octet
    std::string forwarded;  // RFC 7239 value that tells the agent about the visitor, may be empty
    std::string route{};    // id of the route it is for; stays at the relay, where SSH clients are known by it. Empty: any to the target
};

}  // namespace sallyport
