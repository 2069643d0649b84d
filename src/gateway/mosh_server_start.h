// mosh_server_start.h: the command that starts mosh-server on the remote, and the reading of what it answers. Pure: no I/O.
//
// Whoever has a logged-in SSH connection runs mosh_server_command() on an exec channel without a pty, feeds both of its output
// streams to a MoshServerAnswer, and tells it when the channel has ended. The command runs under whatever login shell the user
// has (it avoids all that sh, bash, zsh, fish and csh read differently), never holds a secret, and leaves mosh-server detached.
#pragma once
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/octets.h"
#include "base/secret.h"

namespace sallyport::gateway {

struct MoshServerRequest {
    // What the client sent (RFC 4254 6.4). Of these only LANG, LANGUAGE, LC_* and COLORTERM are handed on, and only with harmless values.
    std::vector<std::pair<std::string, std::string>> environment;
    std::string command;                           // forced one instead of the login shell (command= in authorized_keys); empty: shell
    std::chrono::seconds network_timeout{86'400};  // mosh-server ends itself after so long without hearing from us
    std::string program = "mosh-server";           // at the remote: [A-Za-z0-9._/-], not starting with '-'
    std::uint16_t first_port = 60'001;             // of UDP, of the remote
    std::uint16_t last_port = 60'999;
    // Marks the title by which the shell's exit status comes back (see exit_marker.h): [a-z0-9]{16}.
    std::string exit_nonce;
};

std::string mosh_server_command(const MoshServerRequest& request);

struct MoshServer {
    std::uint16_t port = 0;
    Secret key;                         // 22 characters of base64; goes into mosh-client's environment and nowhere else
    std::optional<std::int64_t> pid;    // on the remote
};

enum class MoshServerFailure {
    not_installed,  // exit 127, or the shell said so
    no_utf8,        // no UTF-8 locale on the remote
    no_port,        // all UDP ports are taken
    failed,         // anything else
};
std::string_view name_of(MoshServerFailure failure);
// One line for the user: "mosh-server is not installed on the remote; using plain SSH".
std::string_view notice_of(MoshServerFailure failure);

// Reads at most kMostOctets of noise (a talkative .bashrc); more is Errc::too_large.
class MoshServerAnswer {
public:
    static constexpr std::size_t kMostOctets = 64 * 1024;

    void feed(Octets octets);                    // standard output and standard error, as they come
    void ended(std::optional<int> exit_status);  // the channel is closed; without status: cut

    // Usable before the channel has ended; the pid is there once its line has come as well (soon after).
    const MoshServer* server() const { return server_ ? &*server_ : nullptr; }
    std::optional<MoshServerFailure> failure() const;  // known at the end

private:
    void take_line(std::string_view line);
    void wipe_line();
    std::string line_;
    std::size_t octets_ = 0;
    bool too_long_ = false;
    bool ended_ = false;
    std::optional<int> exit_status_;
    std::optional<MoshServer> server_;
    std::optional<MoshServerFailure> hint_;
};

}  // namespace sallyport::gateway
