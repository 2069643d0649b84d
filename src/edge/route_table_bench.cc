// Asking must cost the same with ten routes and with a hundred thousand, and so must a change.
#include "edge/route_table.h"

#include <benchmark/benchmark.h>

namespace sallyport {
namespace {

std::vector<Route> make_routes(std::int64_t count) {
    std::vector<Route> routes;
    for (std::int64_t i = 0; i < count; ++i) {
        Route route;
        route.hostname = "home" + std::to_string(i) + ".example.org";
        route.path_prefix = i % 2 ? "/" : "/some/prefix";
        routes.push_back(std::move(route));
    }
    return routes;
}

void find_among(benchmark::State& state) {
    const RouteTable table(make_routes(state.range(0)));
    const std::string host = "home" + std::to_string(state.range(0) / 2) + ".example.org";
    for (auto _ : state) benchmark::DoNotOptimize(table.find(host, "/some/prefix/and/a/file.js"));
}
BENCHMARK(find_among)->Arg(10)->Arg(10'000)->Arg(100'000);

void change_one_of(benchmark::State& state) {
    RouteTable table(make_routes(state.range(0)));
    const std::string host = "home" + std::to_string(state.range(0) / 2) + ".example.org";
    for (auto _ : state) {
        RouteTable changed = table;
        changed.set_routes_of(host, table.routes_of(host));
        benchmark::DoNotOptimize(table = std::move(changed));
    }
}
BENCHMARK(change_one_of)->Arg(10)->Arg(10'000)->Arg(100'000);

}  // namespace
}  // namespace sallyport
