// http1_writer.h: writes HTTP/1.1 heads canonically (RFC 9112), appending to a buffer. What frames the message and what
// concerns the connection is written from values, never copied: Host, Content-Length, Transfer-Encoding and Connection
// among `fields` are skipped. All other fields go out in order, as they stand (see remove_connection_fields()).
#pragma once
#include <string>

#include "wire/http1_message.h"

namespace sallyport {

// The Connection field to write.
enum class ConnectionOption {
    none,  // persistent on HTTP/1.1
    close,
    keep_alive,  // for a peer that speaks 1.0
    upgrade,     // "Upgrade"; the Upgrade field itself stands among the fields
};

// "METHOD target HTTP/1.1", Host from authority first, then fields, framing, Connection, empty line.
void write_request_head(std::string& out, const RequestHead& head, ConnectionOption connection);

// "HTTP/1.1 status reason", fields, framing (or announced_length), Connection, empty line.
void write_response_head(std::string& out, const ResponseHead& head, ConnectionOption connection);

}  // namespace sallyport
