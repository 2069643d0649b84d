// websocket_frame.h: WebSocket frames (RFC 6455 5), as carrier of the tunnel: no extensions, no UTF-8 check of text.
// The decoder unmasks in place and hands on data frames piece by piece as they arrive; nothing of them is buffered.
// No I/O.
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/octets.h"
#include "base/result.h"

namespace sallyport {

enum class WebSocketOpcode : std::uint8_t { continuation = 0, text = 1, binary = 2, close = 8, ping = 9, pong = 10 };

// Which end we are. A server takes masked frames only, a client unmasked ones only (RFC 6455 5.1).
enum class WebSocketRole { client, server };

using MaskingKey = std::array<std::byte, 4>;
using FinalFragment = bool;

struct WebSocketHeader {
    std::array<std::byte, 14> octets;
    std::uint8_t size = 0;
    Octets view() const { return {octets.data(), size}; }
};

// The header of a frame that holds the end of its message (fin set). With a masking key the caller masks the payload.
WebSocketHeader write_websocket_header(WebSocketOpcode opcode, std::uint64_t length,
                                       std::optional<MaskingKey> mask = std::nullopt);
WebSocketHeader write_websocket_fragment_header(WebSocketOpcode opcode, FinalFragment final, std::uint64_t length,
                                                std::optional<MaskingKey> mask = std::nullopt);

// dst[i] = src[i] ^ key[(offset + i) % 4]; dst may be src. offset is how many octets of the payload came before.
void mask_octets(std::byte* dst, const std::byte* src, std::size_t count, MaskingKey key, std::uint64_t offset = 0);

class WebSocketDecoder {
public:
    // max_message bounds the octets of one message over all its fragments.
    explicit WebSocketDecoder(WebSocketRole role, std::uint64_t max_message = std::uint64_t{1} << 62)
        : role_(role), max_message_(max_message) {}

    struct Step {
        enum class Kind {
            need_more,  // all of the input was taken (or is part of a frame header kept inside)
            data,       // a piece of a text or binary message
            ping,       // payload is complete; answer with a pong of the same payload
            pong,
            close,  // payload: see parse_websocket_close(); nothing more is decoded
        };
        Kind kind = Kind::need_more;
        std::size_t consumed = 0;    // drop these from the front of the input
        MutableOctets payload;       // unmasked; of data in the input, of control in the decoder until the next feed()
        bool message_begin = false;  // of data
        bool message_end = false;    // of data; the piece may be empty
        WebSocketOpcode opcode = WebSocketOpcode::binary;  // of the message, text or binary, also on continuations
    };

    // Takes octets up to the next event or the end of `in`; call again with the rest while there is any.
    // Errc::protocol asks for close code 1002, Errc::too_large for 1009; both are final.
    Result<Step> feed(MutableOctets in);

    bool in_message() const { return in_message_; }

private:
    Result<bool> take_header(MutableOctets in, std::size_t& used);
    Result<> start_frame();
    Step take_data(MutableOctets in, std::size_t used);
    Step take_control(MutableOctets in, std::size_t used);

    WebSocketRole role_;
    std::uint64_t max_message_;
    std::uint64_t message_octets_ = 0;
    std::uint64_t left_ = 0;    // of the frame's payload
    std::uint64_t offset_ = 0;  // into the frame's payload
    std::array<std::byte, 14> header_{};
    std::uint8_t header_size_ = 0;
    std::array<std::byte, 125> control_{};
    std::uint8_t control_size_ = 0;
    MaskingKey key_{};
    WebSocketOpcode frame_opcode_ = WebSocketOpcode::binary;
    WebSocketOpcode message_opcode_ = WebSocketOpcode::binary;
    bool final_ = false;
    bool masked_ = false;
    bool in_frame_ = false;
    bool in_message_ = false;
    bool begin_pending_ = false;
    bool closed_ = false;
    bool failed_ = false;
};

struct WebSocketClose {
    std::uint16_t code = 1005;  // 1005: none was sent (RFC 6455 7.4.1)
    std::string reason;         // at most 123 octets; from the peer: escape before showing
};
// Errc::protocol for lengths and codes that may not be sent.
Result<WebSocketClose> parse_websocket_close(Octets payload);
// The payload of a close frame; the reason is cut to 123 octets.
std::string format_websocket_close(std::uint16_t code, std::string_view reason);

}  // namespace sallyport
