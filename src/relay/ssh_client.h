// ssh_client.h: a stock SSH client that has proven an agent's key: what it forwards (ssh_forward_rules.h), and what its user sees. With its first
// forward it becomes the agent's tunnel (ssh_tunnel.h), if the agent isn't connected otherwise; with the last one cancelled it is nobody's
// any more, and its connection stays. Nothing is ever bound on the relay's machine for it.
//
// What is refused is told in words: on stderr of its session if there is one, else, where nothing else is forwarded, by ending
// the connection, since that is the only text that every ssh prints.
//
// Lives on the loop that owns its agent. Its owner disposes of it when it says that it is over.
#pragma once
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "edge/visitor_limits.h"
#include "relay/arrival.h"
#include "relay/held_stream.h"
#include "relay/loop_agents.h"
#include "relay/ssh_counters.h"
#include "relay/ssh_forward_rules.h"
#include "relay/ssh_status_channel.h"
#include "relay/ssh_target_scout.h"
#include "relay/ssh_tunnel.h"
#include "ssh/server_connection.h"
#include "wire/authorized_keys.h"

namespace sallyport::relay {

inline constexpr std::size_t kMostForwards = 64;        // of one client
inline constexpr std::size_t kMostStatusChannels = 4;   // the same

// A login that was accepted.
struct SshLogin {
    ProvenAgent agent{};  // without session
    AuthorizedKeyOptions options{};
    std::string user{};         // as the client says: means nothing
    std::string fingerprint{};
};

class SshClient final : private ssh::ServerConnection::Owner, private SshTunnel::Client, private SshStatusChannel::Host {
public:
    class Owner {
    public:
        virtual void on_ssh_client_over(SshClient& client) = 0;

    protected:
        ~Owner() = default;
    };

    // `connection` is parked; `visit` counts until the client becomes a tunnel. `counters` outlives it.
    SshClient(LoopAgents& home, SshCounters& counters, SshLogin login, std::unique_ptr<ssh::ServerConnection> connection,
              VisitorLimits::Visit visit, Owner& owner);
    ~SshClient();

    const std::string& agent_id() const { return login_.agent.agent_id; }
    // on_ssh_client_over() follows, not inside this call.
    void close(Error reason, std::string text) { connection_->close(std::move(reason), std::move(text)); }

private:
    class Arriving;
    struct Forward {
        AskedForward asked;
        std::uint16_t port;  // asked.port, or what was allocated
        std::unique_ptr<SshTargetScout> scout;
        HeldStream::Queue held = std::make_shared<std::vector<HeldStream*>>();  // until the scout knows
    };

    // ServerConnection
    void on_login_request(const ssh::LoginRequest&) override {}
    void on_authenticated() override {}
    void on_forward_request(const ssh::ForwardRequest& request) override;
    void on_forward_cancelled(const ssh::ForwardRequest& request) override;
    void on_channel_requested(std::unique_ptr<ssh::IncomingChannel> channel) override;
    void on_connection_closed(const Error& reason) override;

    // SshTunnel
    Result<StreamPtr> open_stream(const OpenRequest& request, Stream::Owner& owner) override;
    void on_routes_changed() override { announce_.ask(); }
    void on_probe_wanted() override;
    void on_drain(std::chrono::milliseconds deadline) override;
    void close_connection(Error reason) override;
    void on_tunnel_gone() override { tunnel_ = nullptr; }
    void ping() override { connection_->ping(); }
    TimePoint heard_at() const override { return connection_->heard_at(); }
    std::chrono::microseconds round_trip() const override { return connection_->round_trip(); }
    std::size_t open_streams() const override { return connection_->open_channels() - std::min(connection_->open_channels(), status_.size()); }
    const SocketAddress& peer_address() const override { return connection_->peer_address(); }

    // SshStatusChannel
    bool forwards_settled() const override { return !pending_ && !refused_; }
    bool serves() const override { return tunnel_ != nullptr; }
    std::string status_text() const override;
    void on_status_channel_over(SshStatusChannel& channel) override;

    Result<> judge(const AskedForward& asked);
    void begin_tunnel(SshTunnel& tunnel);
    void add_pending();
    void refuse_pending(std::string why);
    void settle_refusal();
    void settled();
    void say_what_is_served();
    bool read_routes();
    std::vector<TargetReport> reports() const;
    std::vector<AskedForward> asked_so_far() const;
    std::string urls_of(std::size_t forward) const;
    std::string version() const;
    void leave_tunnel(Error reason);
    void look_whether_idle();

    LoopAgents& home_;
    SshCounters& counters_;
    SshLogin login_;
    VisitorLimits::Visit visit_;
    Owner& owner_;
    DirectoryPtr seen_;               // that owned_ was read from
    std::vector<OwnedRoute> owned_;   // of the agent
    std::vector<std::unique_ptr<Forward>> forwards_;
    std::vector<std::optional<std::size_t>> assigned_;  // for each of owned_ a place in forwards_
    std::optional<AskedForward> pending_;  // not answered yet
    std::optional<std::string> refused_;   // the pending one, and why; answered when it is clear whether more follow
    std::vector<std::string> refusals_;    // for the status
    SshTunnel* tunnel_ = nullptr;
    bool said_hello_ = false;
    TimePoint opened_at_ = Clock::now();
    TimePoint drains_until_{};
    std::vector<std::unique_ptr<SshStatusChannel>> status_;
    std::shared_ptr<SshClient*> self_;
    Timer refusal_timer_;
    Timer drain_timer_;
    TurnEnd announce_;
    std::unique_ptr<ssh::ServerConnection> connection_;
};

}  // namespace sallyport::relay
