// tcp_transport.h: a Transport over a plain stream socket (TCP or Unix).
#pragma once
#include "net/loop.h"
#include "net/transport.h"

namespace sallyport {

// `received` are octets already read from the descriptor; they are handed to the owner first.
TransportPtr make_plain_transport(Loop& loop, Descriptor connected, std::string received = {});

}  // namespace sallyport
