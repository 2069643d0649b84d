// ssh_failure.h: why there is no SSH connection with all its forwards, and what a person can do about it.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>

namespace sallyport {

struct SshFailure {
    enum class Kind : std::uint8_t {
        network,           // no way there, or cut on the way
        no_ssh,            // something else answers there
        host_key_changed,  // the server shows another key than the one noted or given
        host_key_unknown,  // none of its keys is given
        key_refused,       // the server doesn't take our key
        forward_taken,     // the port is in use, most likely by our own session before
        forward_refused,   // the server doesn't allow it
        protocol,          // the two can't agree
        setup,             // our own fault
        ended,             // it stood, and was closed
    };
    Kind kind = Kind::network;
    std::string reason{};  // for the log; may hold text of the other side
    std::string advice{};  // empty if waiting is all

    // Waiting alone won't mend it.
    bool needs_person() const {
        return kind == Kind::host_key_changed || kind == Kind::host_key_unknown || kind == Kind::key_refused || kind == Kind::forward_refused || kind == Kind::setup;
    }
};
std::string_view name_of(SshFailure::Kind kind);

}  // namespace sallyport
