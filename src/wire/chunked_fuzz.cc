// Content decoded whole and cut in two must be the same octets; decoding content that was encoded gives it back.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "wire/chunked.h"

namespace {

using namespace sallyport;

struct Decoded {
    std::string content;
    bool done = false;
    bool failed = false;
};

void feed(ChunkedDecoder& decoder, std::string_view in, Decoded& out) {
    while (!in.empty() && !out.done) {
        const auto step = decoder.feed(as_octets(in));
        if (!step) {
            out.failed = true;
            return;
        }
        if (step->consumed == 0 && !step->done) std::abort();
        out.content += as_text(step->content);
        out.done = step->done;
        in.remove_prefix(step->consumed);
    }
}

void check_round_trip(std::string_view content, std::size_t chunk) {
    std::string text;
    for (std::size_t at = 0; at < content.size(); at += chunk) {
        const std::string_view piece = content.substr(at, chunk);
        write_chunk_head(text, piece.size());
        (text += piece) += kChunkEnd;
    }
    text += kLastChunk;
    ChunkedDecoder decoder;
    Decoded out;
    feed(decoder, text, out);
    if (!out.done || out.content != content) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size < 1) return 0;
    const std::string_view in(reinterpret_cast<const char*>(data + 1), size - 1);
    const std::size_t cut = in.empty() ? 0 : data[0] % in.size();
    ChunkedDecoder whole, pieces;
    Decoded a, b;
    feed(whole, in, a);
    feed(pieces, in.substr(0, cut), b);
    if (!b.failed) feed(pieces, in.substr(cut), b);
    if (a.failed != b.failed || a.done != b.done) std::abort();
    if (a.done && a.content != b.content) std::abort();
    check_round_trip(in, data[0] + std::size_t{1});
    return 0;
}
