// result.h: how expected failures travel. What peers, disks and users do is a value (Result), never an exception.
#pragma once
#include <expected>
#include <string>
#include <string_view>
#include <utility>

namespace sallyport {

// What went wrong, as far as a caller has to tell cases apart. `detail` of an Error is for our log, never for a peer.
enum class Errc {
    need_more,          // no failure: call again once more octets have arrived
    would_block,        // no failure: the kernel or a window has no room now
    end_of_stream,      // the peer ended its direction in order
    protocol,           // octets that the standard forbids
    too_large,          // over a stated bound
    timeout,            // a stated time has passed
    refused,            // the other side said no
    unauthorized,       // a credential is missing or wrong
    not_found,
    conflict,           // exists already, or changed meanwhile
    invalid_argument,   // what a user typed can't be meant
    invalid_config,     // a configuration file, variable or flag; detail names file, line and key
    permission_denied,  // the operating system says no
    address_in_use,
    no_space,           // disk or descriptors used up
    unreachable,        // name resolution or connecting failed
    tls,                // handshake, certificate or record failure
    reset,              // the peer cut the connection or stream
    newer_version,      // data written by a newer release
    io,                 // any other system call failure
    internal,           // our own fault
};

// The code's name in snake_case, as used in logs ("timeout").
std::string_view name_of(Errc code);

struct Error {
    Errc code;
    std::string detail;
};

template <class T = void>
using Result = std::expected<T, Error>;

inline std::unexpected<Error> fail(Errc code, std::string detail = {}) {
    return std::unexpected<Error>(Error{code, std::move(detail)});
}

// Turns errno (or a value like it) into an Error: "open /x: No such file or directory".
Error system_error(int errno_value, std::string_view what);
inline std::unexpected<Error> fail_errno(int errno_value, std::string_view what) {
    return std::unexpected<Error>(system_error(errno_value, what));
}

}  // namespace sallyport
