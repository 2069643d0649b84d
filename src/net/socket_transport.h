// socket_transport.h: what plain and TLS transports share: a descriptor, its readiness, what waits to be sent, and how it ends.
// "Wire octets" are those on the socket: the same as the owner's for plain, records for TLS.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "net/buffer_budget.h"
#include "net/descriptor.h"
#include "net/loop.h"
#include "net/transport.h"

namespace sallyport {

class SocketTransport : public Transport, private Watch::Owner {
public:
    void set_owner(Transport::Owner* owner) override;
    bool send_ready() const override { return !closed_ && !ended_ && !full_ && pending_.empty(); }
    void pause_receive() override;
    void resume_receive() override;
    void end_send() override;
    void close() override;
    void abort() override;
    void limit_unsent(ByteCount octets) override;
    Unsent unsent() const override;
    bool all_arrived() const override;
    const SocketAddress& peer_address() const override { return peer_; }
    void name_peer(const SocketAddress& peer) override { peer_ = peer; }
    const SocketAddress& local_address() const override { return local_; }
    int descriptor() const { return descriptor_.get(); }  // for socket options

protected:
    // `received`: wire octets read before, in front of what the kernel has.
    SocketTransport(Loop& loop, Descriptor connected, std::string received, std::size_t receive_quantum);
    ~SocketTransport() override = default;

    virtual void take_wire(MutableOctets octets) = 0;
    virtual void take_wire_end() = 0;
    virtual bool wants_wire() const { return owner_ != nullptr; }
    virtual void before_end() {}           // last chance to put_wire (close_notify)
    virtual void on_failed(const Error&) {}  // before the owner hears of it

    // Sends; what the kernel doesn't take is kept and goes first later.
    void put_wire(Octets head, Octets body = {});
    // Ends the connection and tells the owner; at the end of the turn if it comes out of a send.
    void fail_with(const Error& error);
    void fail_later(Error error);
    void update_read();
    // Takes the descriptor off the loop without touching the connection.
    Descriptor take_descriptor();

    Loop& loop_;
    Transport::Owner* owner_ = nullptr;
    bool closed_ = false;
    bool ended_ = false;  // our direction
    std::string received_;
    std::vector<std::byte> pending_;
    ByteCount unsent_limit_ = 0;   // 0: the kernel's own
    ByteCount unsent_at_most_ = 0; // what the kernel may hold, without asking it each time
    bool full_ = false;            // the kernel holds as much as it may
    bool ran_dry_ = true;
    HeldCount pending_held_;
    Descriptor descriptor_;
    bool paused_ = false;
    bool receive_ended_ = false;

private:
    void on_readable() override;
    void on_writable() override;
    void on_hangup() override;
    void look_whether_full();
    void cut();
    void at_turn_end();

    SocketAddress peer_;
    SocketAddress local_;
    std::size_t receive_quantum_;  // one recv() a turn: no peer keeps the loop for itself
    std::optional<Error> failure_;
    Watch watch_;
    TurnEnd turn_end_;
};

}  // namespace sallyport
