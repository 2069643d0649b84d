#include "edge/access_log.h"

namespace sallyport {
namespace {

constexpr std::size_t kMostMethod = 32;  // a method is any token a visitor likes

std::string_view without_port(std::string_view authority) {
    const std::size_t colon = authority.rfind(':');
    return colon == std::string_view::npos || authority.ends_with(']') ? authority : authority.substr(0, colon);
}

}  // namespace

void AccessLog::note(const AccessEntry& entry) {
    if (!enabled() || !lines_.admit()) return;
    const std::string_view host = without_port(entry.authority);
    const std::string_view method = entry.method.substr(0, kMostMethod);
    const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(entry.took).count();
    if (entry.error_id.empty())
        log_.info("access", {{"host", host}, {"method", method}, {"protocol", entry.protocol}, {"status", entry.status}, {"octets", entry.octets}, {"ms", ms}});
    else
        log_.info("access", {{"host", host}, {"method", method}, {"protocol", entry.protocol}, {"status", entry.status}, {"octets", entry.octets}, {"ms", ms}, {"error", entry.error_id}});
}

void AccessLog::note_tcp(const TcpAccessEntry& entry) {
    if (!enabled() || !lines_.admit()) return;
    const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(entry.took).count();
    if (entry.cause.empty())
        log_.info("access.tcp", {{"listen", entry.listen}, {"octets_in", entry.octets_in}, {"octets_out", entry.octets_out}, {"ms", ms}});
    else
        log_.info("access.tcp", {{"listen", entry.listen}, {"octets_in", entry.octets_in}, {"octets_out", entry.octets_out}, {"ms", ms}, {"cause", entry.cause}});
}

}  // namespace sallyport
