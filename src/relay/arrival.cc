#include "relay/arrival.h"

#include "base/random.h"
#include "wire/http1_writer.h"
#include "wire/websocket_handshake.h"

namespace sallyport::relay {
namespace {

// A head is far below the quantum that send() takes, and nothing was sent on this connection that could still wait.
bool send_head(Transport& transport, const ResponseHead& head, ConnectionOption connection) {
    std::string text;
    write_response_head(text, head, connection);
    if (!transport.send_ready()) return false;
    transport.send(as_octets(text));
    return true;
}

}  // namespace

void Arrival::accept() {
    agent.session_id = random_token(16);
    ResponseHead head;
    fill_websocket_response(head, websocket_key);
    head.fields.add("Sec-WebSocket-Protocol", kTunnelProtocol);
    head.fields.add("Sallyport-Session", agent.session_id);
    head.fields.add("Sallyport-Received", "0");
    send_head(*transport, head, ConnectionOption::upgrade);
}

void Arrival::refuse(int status, std::string_view reason) {
    ResponseHead head;
    head.status = status;
    head.reason = reason_phrase(status);
    head.framing = {Framing::Kind::content_length, 0};
    head.fields.add("Sallyport-Refused", reason);
    if (send_head(*transport, head, ConnectionOption::close)) transport->close();
    else transport->abort();
    transport.reset();
}

}  // namespace sallyport::relay
