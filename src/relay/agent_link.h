// agent_link.h: one connected agent: its tunnel and what the control stream says. Lives on the agent's owner loop. Its
// owner (loop_agents.h) disposes of it when it reports its end.
//
// Its session outlives a lost connection for the resume window meanwhile its view says lost, and streams wait.
// The agent says hello first (within kHelloDeadline, else the link closes) and counts as online from then on. The relay
// tells it its public URLs, and each change of them.
#pragma once
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/log.h"
#include "edge/origins.h"
#include "relay/directory.h"
#include "tunnel/tunnel.h"
#include "wire/control_message.h"

namespace sallyport::relay {

inline constexpr std::chrono::seconds kHelloDeadline{10};

// Who stands at the other end, as proven.
struct ProvenAgent {
    std::string agent_id;
    std::string name;
    std::string credential_id;  // the last one proven; once it is gone from the directory the link is cut
    std::string session_id;     // public name of the session, random
};

// Makes the tunnel over a connection that has been let in; called once, on the agent's owner loop.
using MakeTunnel = std::move_only_function<std::unique_ptr<Tunnel>(Tunnel::Owner& owner)>;

class AgentLink final : private Tunnel::Owner {
public:
    class Owner {
    public:
        virtual void on_link_view(AgentLink& link) = 0;  // said hello, or its targets changed
        virtual void on_link_lost(AgentLink& link, const Error& reason) = 0;  // its connection; resume() may follow
        virtual void on_link_closed(AgentLink& link, const Error& reason) = 0;  // the last call

    protected:
        ~Owner() = default;
    };

    AgentLink(Loop& loop, Log& log, ProvenAgent agent, MakeTunnel make_tunnel, Owner& owner);

    // Over another connection, whose opening handshake is done. Whoever proved a credential of the agent gets here; from now on
    // the link stands and falls with that one.
    void resume(std::string credential_id, TransportPtr transport, std::string received, ByteCount peer_received);

    const ProvenAgent& agent() const { return agent_; }
    const std::shared_ptr<const AgentView>& view() const { return view_; }  // null before hello
    const std::string& version() const { return version_; }                // the agent's, untrusted text
    std::string peer() const { return tunnel_->peer_address().ip(); }
    WallTime connected_at() const { return connected_at_; }
    TimePoint opened_at() const { return opened_at_; }
    Tunnel& tunnel() { return *tunnel_; }

    void tell_routes(const std::vector<RouteNotice>& routes);  // sends only what differs from what it knows
    void ask_for_probe();  // look at the targets again
    // The credential of this link was replaced and works until then; said once.
    void tell_rotated(WallTime until);
    void tell_drain(std::string reason, std::chrono::milliseconds deadline);

private:
    void on_tunnel_ready() override {}
    void on_tunnel_control(std::string_view line) override;
    void on_tunnel_stream(OpenRequest request, std::unique_ptr<IncomingStream> stream) override;
    void on_tunnel_lost(const Error& reason) override;
    void on_tunnel_closed(const Error& reason) override;

    void take(const HelloMessage& hello);
    void take(const TargetsMessage& targets);
    void take(const DrainMessage& drain);
    void publish(AgentView view);
    void mark_lost(bool lost);
    void send(const ControlMessage& message);

    Log& log_;
    ProvenAgent agent_;
    Owner& owner_;
    std::shared_ptr<const AgentView> view_;
    std::string version_;
    std::vector<RouteNotice> told_;
    bool has_told_ = false;
    std::optional<WallTime> told_rotated_;
    bool draining_ = false;  // the agent said so: it won't come back to this session
    TimePoint probe_asked_at_ = Clock::now() - std::chrono::hours(1);
    WallTime connected_at_ = wall_now();
    TimePoint opened_at_ = Clock::now();
    Timer hello_deadline_;
    std::unique_ptr<Tunnel> tunnel_;
};

}  // namespace sallyport::relay
