// A message whole and cut in two gives the same event or octets.
#include <cstdint>
#include <cstdlib>
#include <string>

#include "wire/pipe_frame.h"

namespace {

using namespace sallyport;

struct Seen {
    std::string data;
    PipeEvent::Kind kind = PipeEvent::Kind::none;
    std::uint64_t value = 0;
    bool failed = false;
    bool operator==(const Seen&) const = default;
};

void feed(PipeDecoder& decoder, Octets piece, MessagePart part, Seen& seen) {
    if (seen.failed) return;
    const auto event = decoder.feed(piece, part);
    if (!event) {
        seen.failed = true;
        return;
    }
    seen.data += as_text(event->data);
    if (event->kind == PipeEvent::Kind::none) return;
    seen.kind = event->kind;
    seen.value = event->value;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size < 1) return 0;
    const Octets in = as_octets(data + 1, size - 1);
    const std::size_t cut = in.empty() ? 0 : data[0] % in.size();
    PipeDecoder whole, pieces;
    Seen a, b;
    feed(whole, in, {true, true}, a);
    feed(pieces, in.first(cut), {true, false}, b);
    feed(pieces, in.subspan(cut), {false, true}, b);
    if (a.failed != b.failed || (!a.failed && a != b)) std::abort();
    return 0;
}
