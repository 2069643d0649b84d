// remote_host_keys.h: which key is the remote's: as a known_hosts file says, else the key of first use, noted in the state
// folder (gateway_known_hosts) and shown in the log. The files are read at each judgement, so a changed one counts at once.
// Any thread; what is noted is written once.
#pragma once
#include <filesystem>
#include <mutex>
#include <string>
#include <vector>

#include "base/log.h"
#include "base/result.h"
#include "wire/known_hosts.h"

namespace sallyport::gateway {

class RemoteHostKeys {
public:
    enum class Check { strict, ignored };
    // `known_hosts`: as configured; "": first use.
    RemoteHostKeys(std::filesystem::path known_hosts, std::filesystem::path state_dir, std::string host, std::uint16_t port, Check check, Log& log);

    // Errc::unauthorized, with a text for the log (and the advice what to do).
    Result<> judge(const SshPublicKey& key);

    // Types of the keys it is known by, for the order in which they are asked for; empty: nothing is known.
    std::vector<std::string> known_types() const;

private:
    Result<KnownHosts> load() const;
    Result<> note(const SshPublicKey& key);
    const bool configured_;
    const std::filesystem::path file_;
    const std::string host_;
    const std::uint16_t port_;
    const Check check_;
    Log& log_;
    std::mutex mutex_;  // one first use only
};

}  // namespace sallyport::gateway
