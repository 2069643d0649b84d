#include "gateway/vt_parser.h"

#include <algorithm>

namespace sallyport::gateway {
namespace {

constexpr std::uint8_t kEscape = 0x1B, kCancel = 0x18, kSubstitute = 0x1A, kBell = 0x07, kDelete = 0x7F;
constexpr char32_t kReplacement = 0xFFFD;

}  // namespace

void VtParser::feed(Octets octets, Sink& sink) {
    for (const std::byte b : octets) take(static_cast<std::uint8_t>(b), sink);
}

void VtParser::take(std::uint8_t octet, Sink& sink) {
    if (state_ == State::ground && octet >= 0x20) return take_text(octet, sink);
    if (utf8_left_ != 0) {  // cut off by a control
        utf8_left_ = 0;
        sink.on_character(kReplacement);
    }
    if (state_ == State::osc || state_ == State::osc_escape) return take_osc(octet, sink);
    if (octet == kCancel || octet == kSubstitute) {
        state_ = State::ground;
        return;
    }
    if (octet == kEscape) {
        state_ = state_ == State::string ? State::string_escape : State::escape;
        intermediate_ = 0;
        unknown_ = false;
        return;
    }
    switch (state_) {
        case State::string:
            return;
        case State::string_escape:
            if (octet == '\\') {
                state_ = State::ground;
                return;
            }
            state_ = State::escape;
            return take_escape(octet, sink);
        case State::escape:
        case State::escape_intermediate:
            return take_escape(octet, sink);
        case State::csi:
        case State::csi_ignore:
            return take_csi(octet, sink);
        default:
            return sink.on_control(octet);
    }
}

void VtParser::take_text(std::uint8_t octet, Sink& sink) {
    if (utf8_left_ != 0) {
        if ((octet & 0xC0) == 0x80) {
            utf8_value_ = utf8_value_ << 6 | (octet & 0x3F);
            if (--utf8_left_ != 0) return;
            const bool good = utf8_value_ >= utf8_least_ && utf8_value_ <= 0x10FFFF && (utf8_value_ < 0xD800 || utf8_value_ > 0xDFFF);
            if (!good) return sink.on_character(kReplacement);
            if (utf8_value_ >= 0xA0) sink.on_character(utf8_value_);  // C1 controls written in UTF-8 mean nothing here
            return;
        }
        utf8_left_ = 0;
        sink.on_character(kReplacement);
    }
    if (octet < 0x80) {
        if (octet != kDelete) sink.on_character(octet);
    } else if (octet >= 0xC2 && octet <= 0xDF) {
        utf8_left_ = 1;
        utf8_value_ = octet & 0x1F;
        utf8_least_ = 0x80;
    } else if (octet >= 0xE0 && octet <= 0xEF) {
        utf8_left_ = 2;
        utf8_value_ = octet & 0x0F;
        utf8_least_ = 0x800;
    } else if (octet >= 0xF0 && octet <= 0xF4) {
        utf8_left_ = 3;
        utf8_value_ = octet & 0x07;
        utf8_least_ = 0x10000;
    } else {
        sink.on_character(kReplacement);
    }
}

void VtParser::take_escape(std::uint8_t octet, Sink& sink) {
    if (octet < 0x20) return sink.on_control(octet);
    if (octet >= 0x20 && octet <= 0x2F) {
        unknown_ = unknown_ || intermediate_ != 0;
        intermediate_ = static_cast<char>(octet);
        state_ = State::escape_intermediate;
        return;
    }
    const bool plain = state_ == State::escape;
    state_ = State::ground;
    if (octet >= kDelete) return;
    if (plain) {
        switch (octet) {
            case '[': return begin_csi();
            case ']':
                state_ = State::osc;
                osc_.clear();
                too_long_ = false;
                return;
            case 'P':
            case 'X':
            case '^':
            case '_': state_ = State::string; return;
            default: break;
        }
    }
    if (!unknown_) sink.on_escape(intermediate_, static_cast<char>(octet));
}

void VtParser::begin_csi() {
    state_ = State::csi;
    csi_.leader = csi_.intermediate = csi_.final = 0;
    csi_.count = 0;
    csi_.continued = 0;
}

void VtParser::take_csi(std::uint8_t octet, Sink& sink) {
    if (octet < 0x20) return sink.on_control(octet);
    if (octet == kDelete) return;
    if (octet >= 0x80) {  // no sequence has it
        state_ = State::ground;
        return;
    }
    if (octet >= 0x40) {
        const bool known = state_ == State::csi;
        state_ = State::ground;
        csi_.final = static_cast<char>(octet);
        if (known) sink.on_csi(csi_);
        return;
    }
    if (state_ == State::csi_ignore) return;
    const char c = static_cast<char>(octet);
    if (octet <= 0x2F) {
        if (csi_.intermediate != 0) state_ = State::csi_ignore;
        csi_.intermediate = c;
        return;
    }
    if (csi_.intermediate != 0) {  // a parameter behind an intermediate
        state_ = State::csi_ignore;
        return;
    }
    if (c >= '<') {
        if (csi_.leader != 0 || csi_.count != 0) state_ = State::csi_ignore;
        csi_.leader = c;
        return;
    }
    if (csi_.count == 0) {
        csi_.count = 1;
        csi_.values[0] = -1;
    }
    int& value = csi_.values[csi_.count - 1];
    if (c >= '0' && c <= '9') {
        value = std::min(std::max(value, 0) * 10 + (c - '0'), kMostValue);
        return;
    }
    if (csi_.count == kMostParameters) {
        state_ = State::csi_ignore;
        return;
    }
    if (c == ':') csi_.continued |= std::uint32_t{1} << csi_.count;
    csi_.values[csi_.count++] = -1;
}

void VtParser::take_osc(std::uint8_t octet, Sink& sink) {
    if (state_ == State::osc_escape) {
        if (octet == '\\') return end_osc(sink);
        // Any other sequence ends the string without effect.
        state_ = State::escape;
        intermediate_ = 0;
        unknown_ = false;
        osc_.clear();
        return take(octet, sink);
    }
    if (octet == kBell) return end_osc(sink);
    if (octet == kEscape) {
        state_ = State::osc_escape;
        return;
    }
    if (octet == kCancel || octet == kSubstitute) {
        state_ = State::ground;
        osc_.clear();
        return;
    }
    if (octet < 0x20) return;
    if (osc_.size() < kMostString) osc_ += static_cast<char>(octet);
    else too_long_ = true;
}

void VtParser::end_osc(Sink& sink) {
    state_ = State::ground;
    if (!too_long_) sink.on_osc(osc_);
    osc_.clear();
    osc_.shrink_to_fit();
}

}  // namespace sallyport::gateway
