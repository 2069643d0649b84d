// channel_stream.h: a Channel in the clothes of tunnel/stream.h, so that whoever moves octets needn't know SSH. CLOSE without EOF, and
// CLOSE while our direction is still open, are on_stream_reset(reset); a lost connection is on_stream_reset(unreachable).
// reset() and destroying close the channel (see channel.h on what the peer sees).
#pragma once
#include <memory>

#include "ssh/channel.h"
#include "ssh/server_connection.h"
#include "tunnel/tunnel.h"

namespace sallyport::ssh {

// The relay's: a forwarded-tcpip channel to a client; see ServerConnection::open_forwarded. A refusal becomes 502 connection_refused
// (connect failed), 403 (administratively prohibited) or 503 (resource shortage).
Result<StreamPtr> open_forwarded_stream(ServerConnection& connection, Stream::Owner& owner, const ForwardRequest& at,
                                        const std::string& origin_ip, std::uint16_t origin_port);

// The agent's: a channel that a server opens. accept() opens it, refuse() refuses it (without a text).
std::unique_ptr<IncomingStream> as_stream(std::unique_ptr<IncomingChannel> channel);

}  // namespace sallyport::ssh
