// datagram_link.h: carries a mosh-client's datagrams to its mosh-server and back, octet for octet, and watches them: whether the
// server is heard, the round trip, the loss. mosh-client talks to a socket of ours on the loopback interface.
//
// What it adds to the plain way: until the server has answered, the newest datagram is repeated every 100 ms, and on a lossy link
// small ones are sent a second time 15 ms later. SSP ignores what it has seen already, so this only makes loss rarer.
// Datagrams from anywhere else are dropped: the client's side must be sealed with the session's key, the server's side comes from the
// address that the socket is connected to. Lives on one loop.
#pragma once
#include <deque>
#include <memory>
#include <vector>

#include "gateway/mosh_datagram.h"
#include "gateway/terminal_engine.h"
#include "net/loop.h"
#include "net/socket_address.h"

namespace sallyport::gateway {

class DatagramLink final : Watch::Owner {
public:
    class Owner {
    public:
        virtual void on_link_contact() = 0;  // the server's first datagram; it goes to the client after this call
        // For `refused_after` nothing but ICMP "port unreachable" came: nobody listens there any more. Not to be destroyed in it.
        virtual void on_link_refused() = 0;

    protected:
        ~Owner() = default;
    };
    struct Settings {
        bool repeat = true;
        std::chrono::seconds refused_after{20};
    };

    static Result<std::unique_ptr<DatagramLink>> open(Loop& loop, const Settings& settings, const SocketAddress& server,
                                                      const Secret& key, Owner& owner);
    ~DatagramLink();

    SocketAddress client_side() const { return SocketAddress::local_of(inner_.get()); }  // where mosh-client has to send to
    LinkState state() const;

private:
    DatagramLink(Loop& loop, const Settings& settings, const SocketAddress& server, MoshDatagramOpener opener, Owner& owner);
    struct Outer;
    struct Repeat {
        TimePoint due;
        std::vector<std::byte> datagram;
    };
    void on_readable() override;  // from mosh-client
    void on_writable() override {}
    Result<> set_up();
    Result<std::unique_ptr<Outer>> make_outer();
    void take_from_server(Outer& from);
    void to_server(Octets datagram, int ecn);
    void note_server_datagram(Octets datagram);
    void repeat_later(Octets datagram);
    void run_repeats();

    Loop& loop_;
    const Settings settings_;
    const SocketAddress server_;
    MoshDatagramOpener opener_;
    Owner& owner_;
    Descriptor inner_;
    std::unique_ptr<Watch> inner_watch_;
    SocketAddress client_;
    bool client_known_ = false;
    std::unique_ptr<Outer> outer_;
    std::unique_ptr<Outer> previous_;  // from before mosh-client changed its port; until the new one is heard on
    std::optional<TimePoint> last_contact_;
    std::optional<TimePoint> first_refused_;  // since the last contact
    std::optional<Duration> round_trip_;
    SequenceLoss loss_;
    ByteCount received_octets_ = 0;
    ByteCount sent_octets_ = 0;
    std::deque<Repeat> repeats_;
    Timer repeat_timer_;
};

}  // namespace sallyport::gateway
