// stream_pump.h: the octet pipe between one stream of a tunnel and a connection: half-close, reset and back-pressure both
// ways. At home it leads to an origin, at the relay to the visitor of a TCP route. The hot path: octets go from the receive
// buffer straight into the tunnel and from the tunnel straight into send(); only what finds no room is copied.
//
// Held at most: towards the connection the stream's receive window (credit is given back only for octets that send()
// took), towards the stream what one receive brought (receiving pauses until it has left). Lives on the stream's loop.
#pragma once
#include <functional>
#include <string>

#include "base/counter.h"
#include "net/buffer_budget.h"
#include "net/loop.h"
#include "net/transport.h"
#include "tunnel/stream.h"

namespace sallyport {

// Octets that wait, oldest first; holds no memory worth naming while empty.
class HeldOctets {
public:
    bool empty() const { return at_ == octets_.size(); }
    Octets view() const { return as_octets(std::string_view(octets_).substr(at_)); }
    void append(Octets octets) {
        octets_.append(as_text(octets));
        counted_.set(octets_.size() - at_);
    }
    void drop(std::size_t count);

private:
    static constexpr std::size_t kKept = 16 * 1024;  // capacity that is worth keeping for the next time
    std::string octets_;
    std::size_t at_ = 0;
    HeldCount counted_;
};

class StreamPump final : private Stream::Owner, private Transport::Owner {
public:
    class Owner {
    public:
        // One of the two, once: the far side refused the stream; both directions are over, or one was cut. Dispose of the
        // pump then (Loop::dispose).
        virtual void on_pump_refused(const Refusal&) { on_pump_over(); }
        virtual void on_pump_over() = 0;

    protected:
        ~Owner() = default;
    };

    StreamPump(Loop& loop, Owner& owner);
    ~StreamPump();
    StreamPump(const StreamPump&) = delete;
    StreamPump& operator=(const StreamPump&) = delete;

    // The stream's owner, to open one with or to give to one that came in; then take() it, once. What it brings before
    // connect() is held.
    Stream::Owner& stream_owner() { return *this; }
    void take(StreamPtr stream);
    // The connection, once, after take(), unless the pump is over by then.
    void connect(TransportPtr connection);
    // Goes to the stream before anything else; before connect().
    void send_first(Octets octets) { to_stream_.append(octets); }
    // Cuts both sides. No calls to the owner after it.
    void cut();
    // The stream is over by other means, before connect(). No calls to the owner after it.
    void forget() { over_ = true; }

    bool over() const { return over_; }

    // Counts octets here too, from now on; outlives the pump.
    void count_into(Counter& to_stream, Counter& from_stream) { shared_to_stream_ = &to_stream, shared_from_stream_ = &from_stream; }
    ByteCount octets_to_stream() const { return to_stream_count_; }
    ByteCount octets_from_stream() const { return from_stream_count_; }

private:
    void on_stream_accepted() override {}
    void on_stream_refused(const Refusal& refusal) override;
    void on_stream_octets(Octets octets) override;
    void on_stream_end() override;
    void on_stream_reset(const Error& error) override;
    Stream::Pulled on_stream_pull(MutableOctets room) override;

    void on_receive(MutableOctets octets) override;
    void on_receive_end() override;
    void on_send_ready() override;
    void on_transport_error(const Error& error) override;

    std::size_t send_to_connection(Octets octets);
    void flush_to_connection();
    void end_connection_if_done();
    void finish_if_done();
    void finish();

    Owner& owner_;
    StreamPtr stream_;
    TransportPtr connection_;  // null until connect()

    HeldOctets to_connection_;
    bool stream_ended_ = false;           // the far side's direction is over
    bool connection_send_ended_ = false;  // and the connection's peer knows
    ByteCount from_stream_count_ = 0;

    Octets received_;                 // within on_receive only: what the stream hasn't pulled yet
    HeldOctets to_stream_;            // while not empty receiving is paused
    bool connection_ended_ = false;   // FIN
    bool connection_cut_ = false;     // the stream is reset once it has pulled what came before
    bool stream_send_ended_ = false;  // and the far side knows
    ByteCount to_stream_count_ = 0;
    Counter* shared_to_stream_ = nullptr;
    Counter* shared_from_stream_ = nullptr;

    bool over_ = false;
    TurnEnd cut_stream_;  // not inside on_stream_pull()
};

}  // namespace sallyport
