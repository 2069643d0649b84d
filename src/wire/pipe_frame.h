// pipe_frame.h: the frames of the resumable pipe, one per WebSocket binary message (docs/protocol.md). First octet:
// the type.
//   0x00 DATA  any number of octets, counted
//   0x01 ACK   u64 big-endian: DATA octets received in this session so far
//   0x02 PING  u64, opaque      0x03 PONG  u64, echoed
// Only DATA is counted, so liveness never waits behind data. Unknown types are skipped. No I/O.
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>

#include "base/octets.h"
#include "base/result.h"

namespace sallyport {

enum class PipeFrameType : std::uint8_t { data = 0, ack = 1, ping = 2, pong = 3 };

// The whole message of an ACK, PING or PONG.
using FixedPipeFrame = std::array<std::byte, 9>;
FixedPipeFrame write_pipe_frame(PipeFrameType type, std::uint64_t value);

// The one octet before the octets of a DATA frame.
inline constexpr std::byte kPipeDataType{0};

// Which part of its message a piece is; both for a whole message in one piece.
struct MessagePart {
    bool begin = false;
    bool end = false;
};

struct PipeEvent {
    enum class Kind { none, data, ack, ping, pong };
    Kind kind = Kind::none;
    Octets data;              // of data: points into the piece; not empty
    std::uint64_t value = 0;  // of ack, ping, pong
};

class PipeDecoder {
public:
    // At most one event a piece. Errc::protocol: a fixed frame of another length, an empty message, or pieces out of
    // order. Errc::too_large: an unknown frame above kMaxUnknownOctets. Both are final.
    Result<PipeEvent> feed(Octets piece, MessagePart part);

    static constexpr std::size_t kMaxUnknownOctets = 64_KiB;

private:
    Result<PipeEvent> take_fixed(Octets piece, MessagePart part);

    bool in_message_ = false;
    bool have_type_ = false;
    std::uint8_t type_ = 0;
    std::size_t size_ = 0;  // octets of a fixed or unknown frame seen so far
    std::array<std::byte, 8> value_{};
};

}  // namespace sallyport
