// ssh_server.h: one SSH server as its links and its keeper need it: configuration, our key for it, what is known of its keys.
// Made before the loop runs (ssh_start.h), unchanged afterwards.
#pragma once
#include <chrono>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "agent/ssh_host_keys.h"
#include "config/ssh_config.h"
#include "ssh/key_file.h"

namespace sallyport {

struct SshServer {
    SshServerConfig config;
    SshHostKeys host_keys;
    ssh::PrivateKey key;
    std::filesystem::path key_file{};  // the same for the system's ssh
    std::string authorized_line{};     // that lets us in
    std::optional<std::string> program{};  // the system's ssh, where options ask for it; else libssh
    std::vector<std::string> targets{};    // of the forwards, as in the target table
    std::chrono::milliseconds alive_interval{30'000};
    std::uint32_t alive_count = 3;
    std::chrono::milliseconds connect_timeout{10'000};
};

}  // namespace sallyport
