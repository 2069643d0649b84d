// Asking must cost the same with ten routes and with a hundred thousand.
#include "edge/route_table.h"

#include <benchmark/benchmark.h>

namespace sallyport {
namespace {

void find_among(benchmark::State& state) {
    std::vector<Route> routes;
    for (std::int64_t i = 0; i < state.range(0); ++i) {
        Route route;
        route.hostname = "home" + std::to_string(i) + ".example.org";
        route.path_prefix = i % 2 ? "/" : "/some/prefix";
        routes.push_back(std::move(route));
    }
    const RouteTable table(std::move(routes));
    const std::string host = "home" + std::to_string(state.range(0) / 2) + ".example.org";
    for (auto _ : state) benchmark::DoNotOptimize(table.find(host, "/some/prefix/and/a/file.js"));
}
BENCHMARK(find_among)->Arg(10)->Arg(1'000)->Arg(100'000);

}  // namespace
}  // namespace sallyport
