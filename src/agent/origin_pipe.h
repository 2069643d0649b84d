// origin_pipe.h: the octet pipe between one stream of the tunnel and the connection to its origin: half-close, reset
// and back-pressure both ways. The hot path: octets go from the receive buffer straight into the tunnel and from the
// tunnel straight into send(); only what finds no room is copied.
//
// Held at most: towards the origin the stream's receive window (credit is given back only for octets that send() took),
// towards the stream what one receive brought (receiving pauses until it has left). Lives on the stream's loop.
#pragma once
#include <functional>
#include <memory>
#include <string>

#include "net/loop.h"
#include "net/transport.h"
#include "tunnel/tunnel.h"

namespace sallyport {

// Octets that wait, oldest first; holds no memory worth naming while empty.
class HeldOctets {
public:
    bool empty() const { return at_ == octets_.size(); }
    Octets view() const { return as_octets(std::string_view(octets_).substr(at_)); }
    void append(Octets octets) { octets_.append(as_text(octets)); }
    void drop(std::size_t count);

private:
    static constexpr std::size_t kKept = 16 * 1024;  // capacity that is worth keeping for the next time
    std::string octets_;
    std::size_t at_ = 0;
};

class OriginPipe final : private Stream::Owner, private Transport::Owner {
public:
    // Called once, when both directions are over or one was cut. Dispose of it then (Loop::dispose).
    using OnOver = std::function<void(OriginPipe&)>;

    // Takes the stream over; octets that arrive before connected() are held.
    OriginPipe(Loop& loop, std::unique_ptr<IncomingStream> stream, OnOver on_over);
    ~OriginPipe();
    OriginPipe(const OriginPipe&) = delete;
    OriginPipe& operator=(const OriginPipe&) = delete;

    // One of the two, once, unless it is over by then.
    void connected(TransportPtr origin);
    void refuse(const Refusal& refusal);

    bool over() const { return over_; }

private:
    void on_stream_accepted() override {}
    void on_stream_refused(const Refusal&) override {}
    void on_stream_octets(Octets octets) override;
    void on_stream_end() override;
    void on_stream_reset(const Error& error) override;
    Stream::Pulled on_stream_pull(MutableOctets room) override;

    void on_receive(MutableOctets octets) override;
    void on_receive_end() override;
    void on_send_ready() override;
    void on_transport_error(const Error& error) override;

    std::size_t send_to_origin(Octets octets);
    void flush_to_origin();
    void end_origin_if_done();
    void finish_if_done();
    void finish();

    std::unique_ptr<IncomingStream> stream_;
    TransportPtr origin_;  // null until connected()
    OnOver on_over_;

    HeldOctets to_origin_;
    bool stream_ended_ = false;       // the visitor's direction is over
    bool origin_send_ended_ = false;  // and the origin knows

    Octets received_;                 // within on_receive only: what the stream hasn't pulled yet
    HeldOctets to_stream_;            // while not empty receiving is paused
    bool origin_ended_ = false;       // FIN
    bool origin_cut_ = false;         // the stream is reset once it has pulled what came before
    bool stream_send_ended_ = false;  // and the visitor's side knows

    bool over_ = false;
    TurnEnd cut_stream_;  // not inside on_stream_pull()
};

}  // namespace sallyport
