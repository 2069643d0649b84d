#include "wire/chunked.h"

#include <algorithm>
#include <charconv>

namespace sallyport {
namespace {

int hex_value(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    const char lower = ascii_lower(c);
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

}  // namespace

void ChunkedDecoder::reset() {
    state_ = State::size_start;
    left_ = 0;
    digits_ = 0;
    extension_ = trailer_octets_ = 0;
    line_.clear();
    trailers_.clear();
}

Result<> ChunkedDecoder::take_size_octet(char c) {
    if (const int value = hex_value(c); value >= 0 && state_ != State::size_space) {
        if (++digits_ > 16 || left_ >> 59 != 0) return fail(Errc::too_large, "chunk size");  // stays below 2^63
        left_ = left_ * 16 + static_cast<ByteCount>(value);
        state_ = State::size;
        return {};
    }
    if (state_ == State::size_start) return fail(Errc::protocol, "chunk without size");
    if (c == '\r') state_ = State::size_lf;
    else if (c == ';') state_ = State::extension;
    else if ((c == ' ' || c == '\t') && ++extension_ <= kMaxExtensionOctets) state_ = State::size_space;
    else return fail(Errc::protocol, "malformed chunk size");
    return {};
}

Result<> ChunkedDecoder::add_trailer(std::string_view line) {
    const std::size_t colon = line.find(':');
    if (colon == std::string_view::npos || colon > kMaxFieldName || !is_token(line.substr(0, colon)))
        return fail(Errc::protocol, "malformed trailer field");
    const std::string_view name = line.substr(0, colon);
    const std::string_view value = trim_ows(line.substr(colon + 1));
    if (!is_field_value(value)) return fail(Errc::protocol, "control octet in a trailer field");
    const Field field{name, value, field_id(name), name.find('_') != std::string_view::npos};
    if (is_forbidden_trailer(field)) return {};
    if (trailers_.size() == kMaxTrailerFields) return fail(Errc::too_large, "too many trailer fields");
    trailers_.add(name, value);
    return {};
}

// Takes one line or the beginning of one; the empty line ends the message.
Result<std::size_t> ChunkedDecoder::take_trailer_line(std::string_view in) {
    const std::size_t lf = in.find('\n');
    const std::size_t used = lf == std::string_view::npos ? in.size() : lf + 1;
    trailer_octets_ += used;
    if (trailer_octets_ > kMaxTrailerOctets) return fail(Errc::too_large, "trailer section");
    line_ += in.substr(0, used);
    if (lf == std::string_view::npos) return used;
    std::string_view line = line_;
    if (!line.ends_with("\r\n")) return fail(Errc::protocol, "LF without CR in the trailer section");
    line.remove_suffix(2);
    if (line.empty()) state_ = State::done;
    else if (Result<> added = add_trailer(line); !added) return std::unexpected(std::move(added.error()));
    line_.clear();
    return used;
}

Result<ChunkedDecoder::Step> ChunkedDecoder::feed(Octets octets) {
    const std::string_view in = as_text(octets);
    std::size_t at = 0;
    const auto refuse = [this](Error error) {
        state_ = State::failed;
        return std::unexpected(std::move(error));
    };
    while (at < in.size()) {
        switch (state_) {
            case State::size_start:
            case State::size:
            case State::size_space:
                if (Result<> taken = take_size_octet(in[at++]); !taken) return refuse(std::move(taken.error()));
                break;
            case State::extension:
                if (in[at] == '\r') state_ = State::size_lf;
                else if (!syntax::is(in[at], syntax::kFieldOctet))
                    return refuse({Errc::protocol, "control octet in a chunk extension"});
                else if (++extension_ > kMaxExtensionOctets) return refuse({Errc::too_large, "chunk extension"});
                ++at;
                break;
            case State::size_lf:
                if (in[at++] != '\n') return refuse({Errc::protocol, "CR without LF behind a chunk size"});
                state_ = left_ == 0 ? State::trailer : State::content;
                digits_ = 0;
                extension_ = 0;
                break;
            case State::content: {
                const std::size_t taken = static_cast<std::size_t>(std::min<ByteCount>(left_, in.size() - at));
                left_ -= taken;
                if (left_ == 0) state_ = State::content_cr;
                return Step{at + taken, octets.subspan(at, taken), false};
            }
            case State::content_cr:
                if (in[at++] != '\r') return refuse({Errc::protocol, "chunk longer than its size"});
                state_ = State::content_lf;
                break;
            case State::content_lf:
                if (in[at++] != '\n') return refuse({Errc::protocol, "CR without LF behind a chunk"});
                state_ = State::size_start;
                break;
            case State::trailer: {
                Result<std::size_t> taken = take_trailer_line(in.substr(at));
                if (!taken) return refuse(std::move(taken.error()));
                at += *taken;
                break;
            }
            case State::done: return Step{at, {}, true};
            case State::failed: return fail(Errc::protocol, "fed behind an error");
        }
    }
    if (state_ == State::failed) return fail(Errc::protocol, "fed behind an error");
    return Step{at, {}, state_ == State::done};
}

void write_chunk_head(std::string& out, ByteCount size) {
    char digits[16];
    out.append(digits, std::to_chars(digits, digits + sizeof digits, size, 16).ptr);
    out += "\r\n";
}

void write_last_chunk(std::string& out, const FieldSection& trailers) {
    out += "0\r\n";
    for (const Field& field : trailers) {
        out += field.name;
        out += ": ";
        out += field.value;
        out += "\r\n";
    }
    out += "\r\n";
}

}  // namespace sallyport
