#include "wire/websocket_frame.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <utility>

namespace sallyport {
namespace {

constexpr std::size_t kMaxControl = 125;  // RFC 6455 5.5

std::uint8_t value(std::byte octet) { return std::to_integer<std::uint8_t>(octet); }

// The octets of a frame header whose first two are known.
std::size_t header_size(std::byte second) {
    const std::uint8_t length = value(second) & 0x7f;
    const std::size_t extended = length == 126 ? 2 : length == 127 ? 8 : 0;
    return 2 + extended + ((value(second) & 0x80) ? 4 : 0);
}

bool is_control(WebSocketOpcode opcode) { return static_cast<std::uint8_t>(opcode) >= 8; }

// RFC 6455 7.4: what may stand in a close frame.
bool may_be_sent(std::uint16_t code) {
    if (code >= 3000 && code <= 4999) return true;
    return code >= 1000 && code <= 1014 && code != 1004 && code != 1005 && code != 1006;
}

}  // namespace

WebSocketHeader write_websocket_fragment_header(WebSocketOpcode opcode, FinalFragment final, std::uint64_t length,
                                                std::optional<MaskingKey> mask) {
    WebSocketHeader out;
    const auto put = [&out](std::uint64_t octet) { out.octets[out.size++] = static_cast<std::byte>(octet & 0xff); };
    put(static_cast<std::uint8_t>(opcode) | (final ? 0x80u : 0u));
    const unsigned masked = mask ? 0x80 : 0;
    int extended = 0;
    if (length < 126) {
        put(masked | length);
    } else if (length <= 0xffff) {
        put(masked | 126);
        extended = 2;
    } else {
        put(masked | 127);
        extended = 8;
    }
    for (int shift = 8 * (extended - 1); shift >= 0; shift -= 8) put(length >> shift);
    if (mask)
        for (const std::byte octet : *mask) put(value(octet));
    return out;
}

WebSocketHeader write_websocket_header(WebSocketOpcode opcode, std::uint64_t length, std::optional<MaskingKey> mask) {
    return write_websocket_fragment_header(opcode, true, length, mask);
}

void mask_octets(std::byte* dst, const std::byte* src, std::size_t count, MaskingKey key, std::uint64_t offset) {
    std::array<std::byte, 8> twice;
    for (std::size_t i = 0; i < twice.size(); ++i) twice[i] = key[(offset + i) % 4];
    const auto word = std::bit_cast<std::uint64_t>(twice);
    std::size_t at = 0;
    for (; at + 8 <= count; at += 8) {  // whole words without carried state: vectorised
        std::uint64_t piece;
        std::memcpy(&piece, src + at, 8);
        piece ^= word;
        std::memcpy(dst + at, &piece, 8);
    }
    for (; at < count; ++at) dst[at] = src[at] ^ twice[at % 8];
}

// True once header_ holds a whole frame header.
Result<bool> WebSocketDecoder::take_header(MutableOctets in, std::size_t& used) {
    while (used < in.size()) {
        header_[header_size_++] = in[used++];
        if (header_size_ >= 2 && header_size_ == header_size(header_[1])) {
            if (Result<> started = start_frame(); !started) return std::unexpected(std::move(started.error()));
            return true;
        }
    }
    return false;
}

Result<> WebSocketDecoder::start_frame() {
    const std::uint8_t first = value(header_[0]);
    const std::uint8_t length = value(header_[1]) & 0x7f;
    if (first & 0x70) return fail(Errc::protocol, "reserved bit set");
    frame_opcode_ = static_cast<WebSocketOpcode>(first & 0x0f);
    final_ = (first & 0x80) != 0;
    masked_ = (value(header_[1]) & 0x80) != 0;
    if (masked_ != (role_ == WebSocketRole::server))
        return fail(Errc::protocol, masked_ ? "masked frame from a server" : "frame without mask");

    std::size_t at = 2;
    left_ = length;
    if (length >= 126) {
        left_ = 0;
        const std::size_t octets = length == 126 ? 2 : 8;
        for (; at < 2 + octets; ++at) left_ = left_ << 8 | value(header_[at]);
        if (left_ >> 63 != 0 || (octets == 2 ? left_ < 126 : left_ <= 0xffff))
            return fail(Errc::protocol, "malformed length");
    }
    if (masked_) std::copy_n(header_.begin() + static_cast<std::ptrdiff_t>(at), 4, key_.begin());

    switch (frame_opcode_) {
        case WebSocketOpcode::continuation:
            if (!in_message_) return fail(Errc::protocol, "continuation of nothing");
            break;
        case WebSocketOpcode::text:
        case WebSocketOpcode::binary:
            if (in_message_) return fail(Errc::protocol, "new message inside a message");
            in_message_ = begin_pending_ = true;
            message_opcode_ = frame_opcode_;
            message_octets_ = 0;
            break;
        case WebSocketOpcode::close:
        case WebSocketOpcode::ping:
        case WebSocketOpcode::pong:
            if (!final_ || left_ > kMaxControl) return fail(Errc::protocol, "control frame cut or too long");
            break;
        default: return fail(Errc::protocol, "unknown opcode");
    }
    if (!is_control(frame_opcode_)) {
        if (left_ > max_message_ - message_octets_) return fail(Errc::too_large, "message too long");
        message_octets_ += left_;
    }
    header_size_ = 0;
    offset_ = 0;
    control_size_ = 0;
    in_frame_ = true;
    return {};
}

WebSocketDecoder::Step WebSocketDecoder::take_data(MutableOctets in, std::size_t used) {
    const std::size_t count = static_cast<std::size_t>(std::min<std::uint64_t>(left_, in.size() - used));
    Step step{.kind = Step::Kind::data, .payload = in.subspan(used, count), .opcode = message_opcode_};
    if (masked_) mask_octets(step.payload.data(), step.payload.data(), count, key_, offset_);
    offset_ += count;
    left_ -= count;
    step.consumed = used + count;
    in_frame_ = left_ > 0;
    step.message_end = !in_frame_ && final_;
    if (step.message_end) in_message_ = false;
    if (count == 0 && !step.message_end)
        return {.consumed = step.consumed};  // nothing to tell yet; message_begin stays pending
    step.message_begin = std::exchange(begin_pending_, false);
    return step;
}

WebSocketDecoder::Step WebSocketDecoder::take_control(MutableOctets in, std::size_t used) {
    const std::size_t count = static_cast<std::size_t>(std::min<std::uint64_t>(left_, in.size() - used));
    if (count > 0) {
        if (masked_) mask_octets(control_.data() + control_size_, in.data() + used, count, key_, offset_);
        else std::copy_n(in.begin() + static_cast<std::ptrdiff_t>(used), count, control_.begin() + control_size_);
    }
    control_size_ = static_cast<std::uint8_t>(control_size_ + count);
    offset_ += count;
    left_ -= count;
    if (left_ > 0) return {.consumed = used + count};
    in_frame_ = false;
    Step step{.kind = Step::Kind::close,
              .consumed = used + count,
              .payload = {control_.data(), control_size_},
              .opcode = frame_opcode_};
    if (frame_opcode_ == WebSocketOpcode::ping) step.kind = Step::Kind::ping;
    else if (frame_opcode_ == WebSocketOpcode::pong) step.kind = Step::Kind::pong;
    else closed_ = true;
    return step;
}

Result<WebSocketDecoder::Step> WebSocketDecoder::feed(MutableOctets in) {
    if (failed_) return fail(Errc::protocol, "fed behind an error");
    if (closed_) return Step{.consumed = in.size()};  // RFC 6455 5.5.1: nothing counts behind a close
    std::size_t used = 0;
    for (;;) {
        if (!in_frame_) {
            const Result<bool> ready = take_header(in, used);
            if (!ready) {
                failed_ = true;
                return std::unexpected(ready.error());
            }
            if (!*ready) return Step{.consumed = used};
        }
        const Step step = is_control(frame_opcode_) ? take_control(in, used) : take_data(in, used);
        used = step.consumed;
        if (step.kind != Step::Kind::need_more || used == in.size()) return step;
    }
}

Result<WebSocketClose> parse_websocket_close(Octets payload) {
    WebSocketClose close;
    if (payload.empty()) return close;
    if (payload.size() < 2 || payload.size() > kMaxControl) return fail(Errc::protocol, "malformed close");
    close.code = static_cast<std::uint16_t>(value(payload[0]) << 8 | value(payload[1]));
    if (!may_be_sent(close.code)) return fail(Errc::protocol, "close code that may not be sent");
    close.reason = as_text(payload.subspan(2));
    return close;
}

std::string format_websocket_close(std::uint16_t code, std::string_view reason) {
    std::string out{static_cast<char>(code >> 8), static_cast<char>(code & 0xff)};
    reason = reason.substr(0, kMaxControl - 2);
    return out.append(reason);
}

}  // namespace sallyport
