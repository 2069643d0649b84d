// Frames decoded whole and cut in two give the same events and octets; nothing is handed on outside a message.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "wire/websocket_frame.h"

namespace {

using namespace sallyport;
using Kind = WebSocketDecoder::Step::Kind;

// False once the decoder has refused.
bool feed(WebSocketDecoder& decoder, std::string in, std::string& seen) {
    MutableOctets rest = std::as_writable_bytes(std::span(in));
    while (!rest.empty()) {
        const auto step = decoder.feed(rest);
        if (!step) return false;
        if (step->consumed > rest.size() || (step->consumed == 0 && step->kind == Kind::need_more)) std::abort();
        rest = rest.subspan(step->consumed);
        if (step->kind == Kind::need_more) continue;
        if (step->message_begin) seen += '<';
        if (step->kind != Kind::data) seen += "PQC"[static_cast<int>(step->kind) - static_cast<int>(Kind::ping)];
        seen += as_text(step->payload);
        if (step->message_end) seen += '>';
        if (step->kind == Kind::close) (void)parse_websocket_close(step->payload);
    }
    return true;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size < 2) return 0;
    const WebSocketRole role = data[0] & 1 ? WebSocketRole::server : WebSocketRole::client;
    const std::string in(reinterpret_cast<const char*>(data + 2), size - 2);
    const std::size_t cut = in.empty() ? 0 : data[1] % in.size();
    constexpr std::uint64_t bound = 100'000;
    WebSocketDecoder whole(role, bound), pieces(role, bound);
    std::string a, b;
    const bool first = feed(whole, in, a);
    const bool second = feed(pieces, in.substr(0, cut), b) && feed(pieces, in.substr(cut), b);
    if (first != second || a != b) std::abort();
    return 0;
}
