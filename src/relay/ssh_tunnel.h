// ssh_tunnel.h: an SSH client in the clothes of a tunnel, so that links, edges and probes needn't know SSH. A stream is a
// forwarded-tcpip channel. The client says nothing on a control stream, so this says for it what an agent would (hello, targets), and hears
// for it what the relay tells (routes, drain, probe).
//
// No session outlives the connection: it can't be resumed. Lives on its client's loop; owned by the link, and either may go first.
#pragma once
#include <memory>
#include <string>
#include <string_view>

#include "tunnel/tunnel.h"
#include "wire/control_message.h"

namespace sallyport::relay {

class SshTunnel final : public Tunnel {
public:
    // The client, as its tunnel sees it.
    class Client {
    public:
        virtual Result<StreamPtr> open_stream(const OpenRequest& request, Stream::Owner& owner) = 0;
        virtual void on_routes_changed() = 0;
        virtual void on_probe_wanted() = 0;
        virtual void on_drain(std::chrono::milliseconds deadline) = 0;
        virtual void close_connection(Error reason) = 0;  // detach() follows, not inside this call
        virtual void on_tunnel_gone() = 0;                // the tunnel was destroyed
        virtual void ping() = 0;
        virtual TimePoint heard_at() const = 0;
        virtual std::chrono::microseconds round_trip() const = 0;
        virtual std::size_t open_streams() const = 0;
        virtual const SocketAddress& peer_address() const = 0;

    protected:
        ~Client() = default;
    };

    SshTunnel(Loop& loop, Client* client, Tunnel::Owner& owner);  // null: the client has gone meanwhile
    ~SshTunnel() override;

    void say(const ControlMessage& message);  // for the client
    // The client has nothing to do with it any more; the owner hears of the end in the same turn.
    void detach(Error reason);

    Result<StreamPtr> open(const OpenRequest& request, Stream::Owner& owner) override;
    void send_control(std::string_view line) override;
    void close(Error reason) override;
    ByteCount freeze() override { return 0; }
    bool can_resume_from(ByteCount) const override { return false; }
    Result<> resume(TransportPtr, std::string, ByteCount) override { return fail(Errc::reset, "an SSH connection can't be resumed"); }
    bool connected() const override { return client_ != nullptr; }
    void ping() override;
    TimePoint heard_at() const override { return client_ ? client_->heard_at() : TimePoint{}; }
    std::optional<TimePoint> waiting_since() const override { return std::nullopt; }
    std::chrono::microseconds round_trip() const override { return client_ ? client_->round_trip() : std::chrono::microseconds(0); }
    std::size_t open_streams() const override { return client_ ? client_->open_streams() : 0; }
    const SocketAddress& peer_address() const override { return peer_; }

private:
    Client* client_;
    Tunnel::Owner& owner_;
    SocketAddress peer_;
    Error reason_{Errc::reset, "the SSH client has gone"};
    TurnEnd over_;
};

// A stream that is refused at the end of the turn.
StreamPtr make_refused_stream(Loop& loop, Stream::Owner& owner, Refusal refusal);

}  // namespace sallyport::relay
