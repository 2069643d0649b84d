// ssh_library_link.h: an SshLink over libssh, in this process: connect, judge the server's key, log in, ask for every forward;
// then each forwarded-tcpip channel becomes a stream. A refused forward is looked into: whether somebody listens on its port
// already (a direct-tcpip channel to it says so) or the server doesn't allow it.
#pragma once
#include <memory>
#include <optional>
#include <vector>

#include "agent/ssh_advice.h"
#include "agent/ssh_link.h"
#include "agent/ssh_server.h"
#include "base/log.h"
#include "net/connector.h"
#include "ssh/client_connection.h"

namespace sallyport {

// Which of the forwards a channel came in at, as the server says it: by address and port, else by the port alone. `ports`: of those
// granted so far; the next one is being asked for. Pure.
std::optional<std::size_t> forward_of(const std::vector<SshForward>& forwards, const std::vector<std::uint16_t>& ports, std::string_view address,
                                      std::uint16_t port);

class SshLibraryLink final : public SshLink, private ssh::ClientConnection::Owner, private ssh::Channel::Owner {
public:
    // `worked`: its forwards stood before. What it is given outlives it.
    SshLibraryLink(Loop& loop, Workers& workers, Log& log, const SshServer& server, bool worked, SshLink::Owner& owner);
    ~SshLibraryLink() override;

    void check() override;
    void close() override;

    static constexpr std::chrono::seconds kSetUp{60};      // from the connection to the last forward
    static constexpr std::chrono::seconds kCheck{10};      // in which a sign of life must come after check()
    static constexpr std::size_t kMostChannels = 1024;

private:
    void on_connected(Result<Descriptor> connected);
    void ask_next_forward();
    void on_forward(Result<std::uint16_t> granted);
    void look_into_refusal();
    void end(const SshFailure& why);
    void leave(std::string text);
    SshFailure failure_of(const Error& error) const;
    const RemoteForward& asked() const { return server_.config.forwards[ports_.size()].line; }

    void on_host_key(const SshPublicKey& key) override;
    void on_login_refused(const ssh::LoginRefusal& refusal) override;
    void on_authenticated() override;
    void on_channel_requested(std::unique_ptr<ssh::IncomingChannel> channel) override;
    void on_connection_closed(const Error& reason) override;

    // Of the channel that looks whether a port is taken.
    void on_channel_open() override;
    void on_channel_refused(const Error& why) override;
    void on_channel_octets(Octets) override {}
    void on_channel_eof() override {}
    void on_channel_closed(const Error&) override {}
    ssh::Channel::Pulled on_channel_pull(MutableOctets) override { return {}; }

    Loop& loop_;
    Log& log_;
    const SshServer& server_;
    const bool worked_;
    SshLink::Owner& owner_;
    bool over_ = false;  // the owner was told, or has closed it
    std::vector<std::uint16_t> ports_;  // of the forwards granted so far
    bool our_relay_ = false;       // that is who answers, by its own word
    bool authenticated_ = false;
    bool up_ = false;
    bool looked_ = false;  // into the refusal of the one asked for
    Timer deadline_;
    Timer check_;
    Timer gone_;  // where there is no connection to wait for
    TimePoint checked_at_{};
    std::unique_ptr<Connector> connector_;
    std::unique_ptr<ssh::ClientConnection> connection_;
    ssh::ChannelPtr look_;
};

}  // namespace sallyport
