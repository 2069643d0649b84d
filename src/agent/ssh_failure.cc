#include "agent/ssh_failure.h"

namespace sallyport {

std::string_view name_of(SshFailure::Kind kind) {
    switch (kind) {
        case SshFailure::Kind::network: return "network";
        case SshFailure::Kind::no_ssh: return "no_ssh";
        case SshFailure::Kind::host_key_changed: return "host_key_changed";
        case SshFailure::Kind::host_key_unknown: return "host_key_unknown";
        case SshFailure::Kind::key_refused: return "key_refused";
        case SshFailure::Kind::forward_taken: return "forward_taken";
        case SshFailure::Kind::forward_refused: return "forward_refused";
        case SshFailure::Kind::protocol: return "protocol";
        case SshFailure::Kind::setup: return "setup";
        case SshFailure::Kind::ended: return "ended";
    }
    return "setup";
}

}  // namespace sallyport
