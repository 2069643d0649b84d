#include "wire/pipe_frame.h"

#include <algorithm>

namespace sallyport {

FixedPipeFrame write_pipe_frame(PipeFrameType type, std::uint64_t value) {
    FixedPipeFrame out;
    out[0] = static_cast<std::byte>(type);
    for (std::size_t i = 1; i < out.size(); ++i) out[i] = static_cast<std::byte>(value >> (8 * (8 - i)) & 0xff);
    return out;
}

Result<PipeEvent> PipeDecoder::feed(Octets piece, MessagePart part) {
    if (part.begin == in_message_) return fail(Errc::protocol, "pieces out of order");
    if (part.begin) have_type_ = false;
    in_message_ = !part.end;
    if (!have_type_) {
        if (piece.empty()) {
            if (part.end) return fail(Errc::protocol, "empty message");
            return PipeEvent{};
        }
        type_ = std::to_integer<std::uint8_t>(piece.front());
        piece = piece.subspan(1);
        have_type_ = true;
        size_ = 0;
    }
    if (type_ == static_cast<std::uint8_t>(PipeFrameType::data))
        return piece.empty() ? PipeEvent{} : PipeEvent{.kind = PipeEvent::Kind::data, .data = piece};
    return take_fixed(piece, part);
}

Result<PipeEvent> PipeDecoder::take_fixed(Octets piece, MessagePart part) {
    const bool known = type_ <= static_cast<std::uint8_t>(PipeFrameType::pong);
    const std::size_t bound = known ? value_.size() : kMaxUnknownOctets;
    if (piece.size() > bound - size_)
        return known ? fail(Errc::protocol, "frame too long") : fail(Errc::too_large, "unknown frame too long");
    if (known) std::ranges::copy(piece, value_.begin() + static_cast<std::ptrdiff_t>(size_));
    size_ += piece.size();
    if (!part.end || !known) return PipeEvent{};
    if (size_ != value_.size()) return fail(Errc::protocol, "frame too short");
    std::uint64_t value = 0;
    for (const std::byte octet : value_) value = value << 8 | std::to_integer<std::uint64_t>(octet);
    constexpr PipeEvent::Kind kinds[] = {PipeEvent::Kind::data, PipeEvent::Kind::ack, PipeEvent::Kind::ping,
                                         PipeEvent::Kind::pong};
    return PipeEvent{.kind = kinds[type_], .data = {}, .value = value};
}

}  // namespace sallyport
