// websocket_handshake.h: the opening handshake (RFC 6455 4), both sides. Pure but for the random key.
#pragma once
#include <string>
#include <string_view>

#include "base/result.h"
#include "wire/http1_message.h"

namespace sallyport {

// 16 random octets as base64: a fresh Sec-WebSocket-Key.
std::string make_websocket_key();

// Sec-WebSocket-Accept for a key (RFC 6455 4.2.2).
std::string websocket_accept(std::string_view key);

// True if the request asks for an upgrade to WebSocket at all; it may still be wrong.
bool is_websocket_request(const RequestHead& head);

// Server side: GET, 1.1, no content, Upgrade and Connection, version 13, one well-formed key (RFC 6455 4.2.1).
// Returns the key.
Result<std::string> check_websocket_request(const RequestHead& head);

// Client side: fills in method, version, Upgrade, Sec-WebSocket-Version and -Key of an otherwise empty request. Write
// it with ConnectionOption::upgrade.
void fill_websocket_request(RequestHead& head, std::string_view authority, std::string_view target,
                            std::string_view key);

// Server side: the 101 answer. Write it with ConnectionOption::upgrade.
void fill_websocket_response(ResponseHead& head, std::string_view key);

// Client side: 101, Upgrade, Connection, the right Accept, no extension and no subprotocol that was not offered (RFC
// 6455 4.1). Errc::refused if the status is not 101; Errc::protocol else.
Result<> check_websocket_response(const ResponseHead& head, std::string_view key,
                                  std::string_view offered_subprotocol = {});

}  // namespace sallyport
