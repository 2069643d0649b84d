#include "wire/websocket_frame.h"

#include <benchmark/benchmark.h>

#include <vector>

namespace sallyport {
namespace {

constexpr MaskingKey kKey{std::byte{1}, std::byte{2}, std::byte{3}, std::byte{4}};

void mask_in_place(benchmark::State& state) {
    std::vector<std::byte> octets(static_cast<std::size_t>(state.range(0)));
    for (auto _ : state) {
        mask_octets(octets.data(), octets.data(), octets.size(), kKey, 3);
        benchmark::ClobberMemory();
    }
    state.SetBytesProcessed(state.iterations() * state.range(0));
}
BENCHMARK(mask_in_place)->Arg(20)->Arg(1024)->Arg(65536);

void decode(benchmark::State& state) {
    const auto header =
        write_websocket_header(WebSocketOpcode::binary, static_cast<std::uint64_t>(state.range(0)), kKey);
    std::vector<std::byte> message(header.view().begin(), header.view().end());
    message.resize(message.size() + static_cast<std::size_t>(state.range(0)));
    WebSocketDecoder decoder(WebSocketRole::server);
    for (auto _ : state) benchmark::DoNotOptimize(decoder.feed(message));
    state.SetBytesProcessed(state.iterations() * state.range(0));
}
BENCHMARK(decode)->Arg(20)->Arg(1024)->Arg(65536);

}  // namespace
}  // namespace sallyport
