// ssh_preflight.h: a look at an SSH server before the first connection: does its name resolve, does somebody listen, is it SSH.
// What is missing is told in plain words. One connection, closed after the server's identification string (RFC 4253 4.2).
// Lives on one loop; destroying it cancels it.
#pragma once
#include <expected>
#include <functional>
#include <memory>
#include <string>

#include "agent/ssh_failure.h"
#include "config/ssh_config.h"
#include "net/connector.h"
#include "net/transport.h"

namespace sallyport {

// Of the identification string, with the lines that may stand before it. Pure.
struct SshBanner {
    enum class State { need_more, ssh, not_ssh } state = State::need_more;
    std::string version{};  // "OpenSSH_9.2p1 Debian-2": behind "SSH-2.0-", printable
};
SshBanner read_ssh_banner(std::string_view received);
inline constexpr std::size_t kMaxBeforeBanner = 8192;

class SshPreflight final : private Transport::Owner {
public:
    struct Seen {
        std::string address;  // "192.0.2.7:22"
        std::string version;
    };
    // Called once, on the loop, never inside the constructor.
    using Done = std::function<void(std::expected<Seen, SshFailure>)>;

    SshPreflight(Loop& loop, Workers& workers, const SshServerConfig& server, std::chrono::milliseconds patience, Done done);
    ~SshPreflight();

private:
    void on_connected(Result<Descriptor> connected);
    void on_receive(MutableOctets octets) override;
    void on_receive_end() override;
    void on_send_ready() override {}
    void on_transport_error(const Error& error) override;
    void finish(std::expected<Seen, SshFailure> result);

    Loop& loop_;
    const SshServerConfig& server_;
    const std::chrono::milliseconds patience_;
    Done done_;
    std::string received_;
    TransportPtr transport_;
    Timer deadline_;
    std::unique_ptr<Connector> connector_;
};

// What a Connector's error means for an SSH server.
SshFailure cannot_connect(const SshServerConfig& server, const Error& error);

}  // namespace sallyport
