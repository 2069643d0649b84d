#include "base/result.h"

#include <cerrno>
#include <system_error>

namespace sallyport {

std::string_view name_of(Errc code) {
    switch (code) {
        case Errc::need_more: return "need_more";
        case Errc::would_block: return "would_block";
        case Errc::end_of_stream: return "end_of_stream";
        case Errc::protocol: return "protocol";
        case Errc::too_large: return "too_large";
        case Errc::timeout: return "timeout";
        case Errc::refused: return "refused";
        case Errc::unauthorized: return "unauthorized";
        case Errc::not_found: return "not_found";
        case Errc::conflict: return "conflict";
        case Errc::invalid_argument: return "invalid_argument";
        case Errc::invalid_config: return "invalid_config";
        case Errc::permission_denied: return "permission_denied";
        case Errc::address_in_use: return "address_in_use";
        case Errc::no_space: return "no_space";
        case Errc::unreachable: return "unreachable";
        case Errc::tls: return "tls";
        case Errc::reset: return "reset";
        case Errc::newer_version: return "newer_version";
        case Errc::io: return "io";
        case Errc::internal: return "internal";
    }
    return "unknown";
}

namespace {
Errc code_of_errno(int value) {
    switch (value) {
        case EACCES:
        case EPERM:
        case EROFS: return Errc::permission_denied;
        case EADDRINUSE: return Errc::address_in_use;
        case EAGAIN: return Errc::would_block;
        case ENOENT: return Errc::not_found;
        case EEXIST: return Errc::conflict;
        case ENOSPC:
        case EDQUOT:
        case EMFILE:
        case ENFILE: return Errc::no_space;
        case ECONNREFUSED: return Errc::refused;
        case ECONNRESET:
        case EPIPE:
        case ECONNABORTED: return Errc::reset;
        case EHOSTUNREACH:
        case ENETUNREACH: return Errc::unreachable;
        case ETIMEDOUT: return Errc::timeout;
        default: return Errc::io;
    }
}
}  // namespace

Error system_error(int errno_value, std::string_view what) {
    std::string detail{what};
    detail += ": ";
    detail += std::generic_category().message(errno_value);
    return Error{code_of_errno(errno_value), std::move(detail)};
}

}  // namespace sallyport
