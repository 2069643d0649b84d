// tcp_transport.h: a Transport over a plain stream socket (TCP or Unix).
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "net/descriptor.h"
#include "net/loop.h"
#include "net/transport.h"

namespace sallyport {

// `received` are octets already read from the descriptor; they are handed to the owner first.
TransportPtr make_plain_transport(Loop& loop, Descriptor connected, std::string received = {});

// One of those taken off its loop, to go on with on another one (as TlsTransport::Parked); the transport is closed by it.
struct ParkedPlain {
    Descriptor descriptor;
    SocketAddress peer;
    std::string received;
    std::vector<std::byte> pending;
    bool receive_ended = false;
};
std::unique_ptr<ParkedPlain> park_plain(Transport& made_here);
TransportPtr unpark_plain(Loop& loop, std::unique_ptr<ParkedPlain> parked);

}  // namespace sallyport
