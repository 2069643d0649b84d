// ssh_host_keys.h: the keys one SSH server may show: those given in the configuration, else the one noted at first use, in a
// file of known_hosts lines in the state folder (which the system's ssh reads and writes, too). The files are small and read
// where they are needed; one is written once in a server's life, so that waits for the disk on the loop.
#pragma once
#include <filesystem>
#include <string>
#include <vector>

#include "agent/state_folder.h"
#include "config/ssh_config.h"
#include "wire/known_hosts.h"

namespace sallyport {

enum class SshKeyVerdict : std::uint8_t {
    known,    // given, or noted
    first,    // nothing is known: note it
    changed,  // others are noted or given
    revoked,
    not_given,  // only given keys count, and there are none for this host
};

class SshHostKeys {
public:
    SshHostKeys(StateFolder folder, const SshServerConfig& server);

    // Whether what the configuration gives can be read. Errc::invalid_config.
    Result<> check() const;

    SshKeyVerdict judge(const SshPublicKey& key) const;
    // Of what is given or noted: "SHA256:…".
    std::vector<std::string> fingerprints() const;
    // Types of the keys that are known, so that the server is asked for one of them.
    std::vector<std::string> types() const;
    Result<> note(const SshPublicKey& key) const;
    // What was noted, gone with that: for `agent trust`.
    Result<std::vector<std::string>> forget() const;

    // For the system's ssh: where it finds, and notes, the key. The file with given keys is written by this.
    Result<std::filesystem::path> file_for_ssh() const;
    bool only_given() const { return server_.has_given_keys(); }

    const std::string& file_name() const { return file_; }

private:
    std::string given_lines() const;
    KnownHosts noted() const;
    StateFolder folder_;
    SshServerConfig server_;
    std::string file_;  // "known_hosts-relay.example.org-22"
};

}  // namespace sallyport
