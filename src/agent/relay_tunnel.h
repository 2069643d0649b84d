// relay_tunnel.h: one session with a relay process, from its opening handshake to its end: says hello, waits for the
// relay's confirmation (its first list of routes), notices silence, and, once the relay has said that it drains, retires:
// then it serves what the old process still sends until that one ends it, and is not resumed any more.
//
// Lives on one loop. Close it or let it report its end, then dispose of it (Loop::dispose).
#pragma once
#include <chrono>
#include <memory>
#include <string>

#include "agent/relay_dialler.h"
#include "tunnel/tunnel.h"
#include "wire/control_message.h"

namespace sallyport {

class RelayTunnel final : private Tunnel::Owner {
public:
    class Owner {
    public:
        virtual HelloMessage make_hello() = 0;
        // The relay has taken the hello and serves this session's visitors.
        virtual void on_relay_confirmed(RelayTunnel& tunnel) = 0;
        virtual void on_relay_message(RelayTunnel& tunnel, ControlMessage message) = 0;
        virtual void on_relay_message_malformed(const Error& error) = 0;
        virtual void on_relay_stream(OpenRequest request, std::unique_ptr<IncomingStream> stream) = 0;
        // Something is unanswered for longer than patience allows; again each second while it lasts.
        virtual void on_relay_silent(RelayTunnel& tunnel) = 0;
        // The connection is gone; the session waits for resume(). Not while retired: nobody could take it back.
        virtual void on_relay_lost(RelayTunnel& tunnel, const Error& reason) = 0;
        virtual void on_relay_closed(RelayTunnel& tunnel, const Error& reason) = 0;  // the last call

    protected:
        ~Owner() = default;
    };

    // How long SETTINGS, and then the confirmation, may take.
    static constexpr std::chrono::seconds kStepDeadline{10};
    // Silence that is unusual, where four round trips are shorter.
    static constexpr std::chrono::milliseconds kSilence{1000};
    // What the relay may exceed its own deadline by before a retired tunnel is closed from here.
    static constexpr std::chrono::seconds kDrainMargin{10};
    static constexpr std::chrono::hours kLongestDrain{1};  // the relay's bound for drain_timeout

    RelayTunnel(Loop& loop, OpenedConnection connection, const TunnelSettings& settings, Owner& owner);
    RelayTunnel(const RelayTunnel&) = delete;
    RelayTunnel& operator=(const RelayTunnel&) = delete;

    // Over another connection, whose handshake asked for this session.
    Result<> resume(OpenedConnection connection);
    // The session as the opening handshake of such a connection tells it; gives the old connection up. An error while that
    // one is alive.
    Result<SessionState> give_up_connection();
    // The relay drains and ends this tunnel within `deadline`.
    void retire(std::chrono::milliseconds deadline);
    void close(Error reason) { tunnel_->close(std::move(reason)); }
    void send(const ControlMessage& message);
    // The way there may have changed: asks for a sign of life now, and looks whether one comes.
    void check();

    const std::string& session() const { return session_; }
    const SocketAddress& peer_address() const { return tunnel_->peer_address(); }
    bool connected() const { return tunnel_->connected(); }
    bool ready() const { return ready_; }          // hello was sent
    bool confirmed() const { return confirmed_; }  // and the relay knows us
    bool retired() const { return retired_; }
    bool is_silent() const;
    TimePoint began_at() const { return began_at_; }
    TimePoint lost_at() const { return lost_at_; }

private:
    void look_for_silence();
    void lose(const Error& reason);
    Duration patience() const { return std::max<Duration>(kSilence, 4 * tunnel_->round_trip()); }

    void on_tunnel_ready() override;
    void on_tunnel_control(std::string_view line) override;
    void on_tunnel_stream(OpenRequest request, std::unique_ptr<IncomingStream> stream) override {
        owner_.on_relay_stream(std::move(request), std::move(stream));
    }
    void on_tunnel_lost(const Error& reason) override { lose(reason); }
    void on_tunnel_closed(const Error& reason) override;

    Loop& loop_;
    Owner& owner_;
    const bool can_resume_;
    std::string session_;
    bool ready_ = false;
    bool confirmed_ = false;
    bool retired_ = false;
    TimePoint began_at_;
    TimePoint lost_at_{};
    Timer silence_;
    Timer deadline_;  // of the step under way; of a retired tunnel, its end
    std::unique_ptr<Tunnel> tunnel_;
};

}  // namespace sallyport
