#include "relay/arrival.h"

#include <charconv>
#include <string>

#include "base/random.h"
#include "wire/http1_writer.h"
#include "wire/websocket_handshake.h"

namespace sallyport::relay {
namespace {

constexpr std::size_t kMaxSession = 128;

// A head is far below the quantum that send() takes, and nothing was sent on this connection that could still wait.
bool send_head(Transport& transport, const ResponseHead& head, ConnectionOption connection, std::string_view content = {}) {
    std::string text;
    write_response_head(text, head, connection);
    if (!transport.send_ready()) return false;
    transport.send(as_octets(text), as_octets(content));
    return true;
}
static_assert(RelayView::kMaxOctets + 4_KiB <= Transport::kSendQuantum);

}  // namespace

SessionRequest SessionRequest::of(const RequestHead& request) {
    const std::string_view id = request.fields.find("Sallyport-Session").value_or("");
    const std::string_view received = request.fields.find("Sallyport-Received").value_or("");
    SessionRequest asked;
    const auto [end, error] = std::from_chars(received.data(), received.data() + received.size(), asked.received);
    if (received.empty() || error != std::errc{} || end != received.data() + received.size()) return {};
    if (id.size() > kMaxSession || id == "new") return {};
    asked.id = id;
    return asked;
}

MakeTunnel Arrival::accept(Loop& loop, const TunnelSettings& settings) {
    agent.session_id = random_token(16);
    if (client) return [client = std::move(client)](Tunnel::Owner& owner) { return client->begin(owner); };
    answer(agent.session_id, 0);
    return [&loop, settings, transport = std::move(transport), received = std::move(received)](Tunnel::Owner& owner) mutable {
        return Tunnel::make(loop, TunnelRole::relay, std::move(transport), std::move(received), settings, owner);
    };
}

void Arrival::accept_again(ByteCount held) { answer(session.id, held); }

void Arrival::answer(std::string_view session_id, ByteCount held) {
    ResponseHead head;
    fill_websocket_response(head, websocket_key);
    head.fields.add("Sec-WebSocket-Protocol", kTunnelProtocol);
    head.fields.add("Sallyport-Session", session_id);
    head.fields.add("Sallyport-Received", std::to_string(held));
    send_head(*transport, head, ConnectionOption::upgrade);
}

void Arrival::refuse(int status, AdmissionRefusal reason, const std::string& live_peer) {
    if (client) return client->refuse(reason, live_peer);
    ResponseHead head;
    head.status = status;
    head.reason = reason_phrase(status);
    head.framing = {Framing::Kind::content_length, 0};
    head.fields.add("Sallyport-Refused", name_of(reason));
    if (send_head(*transport, head, ConnectionOption::close)) transport->close();
    else transport->abort();
    transport.reset();
}

void Arrival::show(const RelayView& view) {
    const std::string content = format_relay_view(view);
    ResponseHead head;
    head.status = 200;
    head.reason = reason_phrase(200);
    head.framing = {Framing::Kind::content_length, content.size()};
    head.fields.add("Content-Type", "application/json");
    head.fields.add("Cache-Control", "no-store");
    if (send_head(*transport, head, ConnectionOption::close, content)) transport->close();
    else transport->abort();
    transport.reset();
}

}  // namespace sallyport::relay
