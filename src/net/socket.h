// socket.h: making, binding and tuning non-blocking sockets. Every descriptor made here is CLOEXEC and non-blocking.
#pragma once
#include <filesystem>
#include <functional>
#include <memory>

#include "base/result.h"
#include "net/descriptor.h"
#include "net/loop.h"
#include "net/socket_address.h"

namespace sallyport {

// Binds and listens with SO_REUSEPORT, so that each loop has a listening socket of its own on the same address
// (an IPv6 wildcard takes IPv4 too). Errors: address_in_use, permission_denied; the detail names the address.
Result<Descriptor> listen_tcp(const SocketAddress& address);
// Mode 0600; a dead socket file in the way is replaced, a live one is Errc::address_in_use.
Result<Descriptor> listen_unix(const std::filesystem::path& path);

// Starts connecting; readiness to write tells when it is done, connect_result how it ended.
Result<Descriptor> start_connect(const SocketAddress& address);
Result<> connect_result(int descriptor);

// TCP_NODELAY and keepalive: what every connection of ours gets.
void tune_connection(int descriptor);
// Keepalive after a minute of silence, given up after another, instead of the kernel's two hours: for peers without a
// protocol of their own that would notice.
void probe_while_idle(int descriptor);
// TCP_NOTSENT_LOWAT: how many octets may wait in the kernel unsent; few, so that what comes next isn't late.
void limit_unsent(int descriptor, ByteCount octets);
bool has_peer(int descriptor);  // it is connected, and not only on the way
ByteCount unsent_octets(int descriptor);
ByteCount unacknowledged_octets(int descriptor);  // those, and what is on its way

// Accepts in bursts on its loop, each as long as a few handshakes take: connections that are closed at once cost little, and many of
// them in the queue don't keep those behind waiting. When descriptors run out it pauses, for a second or until try_again(), and reports once per
// pause. One with a spare gives that up first, so that somebody who must get in does; it is taken again as soon as it can be.
class Acceptor final : private Watch::Owner {
public:
    using OnConnection = std::function<void(Descriptor, const SocketAddress& peer)>;
    using OnTrouble = std::function<void(const Error&)>;
    enum class Spare { none, one };
    Acceptor(Loop& loop, Descriptor listener, OnConnection on_connection, OnTrouble on_trouble, Spare spare = Spare::none);

    // Descriptors have become free. Costs nothing while all is well.
    void try_again() {
        if (troubled_) soon_.ask();
    }

private:
    void on_readable() override;
    void on_writable() override {}
    void resume();
    bool accept_one();  // false: no more in this turn
    bool give_up_spare();
    Loop& loop_;
    Descriptor listener_;
    OnConnection on_connection_;
    OnTrouble on_trouble_;
    const Spare keeps_spare_;
    Descriptor spare_;
    bool troubled_ = false;  // paused, or without its spare
    Watch watch_;
    Timer resume_;
    TurnEnd soon_;
};

// How many descriptors this process has open; 0 where that can't be found out.
std::size_t open_descriptors();

// Raises the soft limit of open descriptors to the hard one; gives the limit now in force.
std::size_t raise_descriptor_limit();

}  // namespace sallyport
