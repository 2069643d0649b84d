// ssh_program_output.h: what the system's ssh (started with -v) says on its standard error, understood: how far it is, and at
// its end why. Wording of OpenSSH 7.4 to 9.x. Pure; what the server chose of it is printable afterwards.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "agent/ssh_advice.h"
#include "config/ssh_config.h"

namespace sallyport {

class SshProgramOutput {
public:
    SshProgramOutput(const SshServerConfig& server, std::string authorized_line, std::vector<std::string> known_keys, bool has_worked);

    enum class News { nothing, up, key_noted, bind_overridden };
    News take(std::string_view line);

    bool up() const { return granted_ == ports_.size(); }
    const std::vector<std::uint16_t>& ports() const { return ports_; }
    const std::string& address() const { return address_; }      // "192.0.2.7:22"; empty behind a ProxyCommand
    const std::string& version() const { return version_; }
    const std::string& host_key() const { return host_key_; }    // "SHA256:…"
    const std::string& last_line() const { return last_line_; }  // that was no debug message

    // Once it has ended. `status`: as waitpid() gives it.
    SshFailure failure(int status) const;

    static constexpr std::size_t kMaxKept = 300;  // octets of a line

private:
    bool take_progress(std::string_view line, News& news);
    void take_trouble(std::string_view line);

    const SshServerConfig server_;
    const std::string authorized_line_;
    const std::vector<std::string> known_keys_;
    const bool has_worked_;  // this forward stood before
    std::vector<std::uint16_t> ports_;
    std::size_t granted_ = 0;
    bool authenticated_ = false;
    std::string address_, version_, host_key_, last_line_, trouble_;
    enum class Trouble { none, network, changed, strict, refused, forward, no_ssh, usage } kind_ = Trouble::none;
};

}  // namespace sallyport
