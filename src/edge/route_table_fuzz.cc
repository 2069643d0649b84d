// Any prefixes and paths: what the tree finds is what comparing every prefix with the path finds.
#include "edge/route_table.h"

#include <cstdlib>

namespace {

using sallyport::Route;

bool fits(std::string_view prefix, std::string_view path) {
    if (!path.starts_with(prefix)) return false;
    return prefix.ends_with('/') || path.size() == prefix.size() || path[prefix.size()] == '/';
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    std::string_view in(reinterpret_cast<const char*>(data), size);
    std::vector<Route> routes;
    std::string path;
    while (!in.empty()) {  // lines: prefixes, the last one is the path asked for
        const std::size_t end = in.find('\n');
        path = "/" + std::string(in.substr(0, end));
        in.remove_prefix(end == std::string_view::npos ? in.size() : end + 1);
        if (in.empty()) break;
        Route route;
        route.hostname = "h";
        route.path_prefix = path;
        routes.push_back(std::move(route));
    }
    const sallyport::RouteTable table(routes);
    const Route* best = nullptr;
    for (const Route& route : routes)
        if (fits(route.path_prefix, path) && (!best || route.path_prefix.size() > best->path_prefix.size())) best = &route;
    const Route* found = table.find("h", path);
    if (!found != !best || (found && found->path_prefix != best->path_prefix)) std::abort();
    return 0;
}
