#include "tunnel/tunnel.h"

#include "tunnel/http2_session.h"
#include "tunnel/pipe.h"
#include "wire/line_reader.h"

namespace sallyport {
namespace {

constexpr std::size_t kMostControlQueued = 1 << 20;

// JSON lines both ways on a stream of its own.
class ControlStream final : public Stream::Owner {
public:
    class Owner {
    public:
        virtual void on_control_line(std::string_view line) = 0;
        virtual void on_control_failed(Error error) = 0;

    protected:
        ~Owner() = default;
    };
    explicit ControlStream(Owner& owner) : owner_(owner) {}

    void attach(StreamPtr stream) {
        stream_ = std::move(stream);
        if (!queued_.empty()) stream_->wake();
    }
    bool attached() const { return stream_ != nullptr; }

    Result<> send(std::string_view line) {
        if (queued_.size() + line.size() > kMostControlQueued)
            return fail(Errc::too_large, "the other side doesn't read its control stream");
        queued_.append(line).append(1, '\n');
        if (stream_) stream_->wake();
        return {};
    }

    void on_stream_accepted() override {}
    void on_stream_refused(const Refusal&) override { owner_.on_control_failed({Errc::refused, "control stream refused"}); }
    void on_stream_octets(Octets octets) override {
        const Result<> taken = reader_.feed(as_text(octets), [this](std::string_view line) -> Result<> {
            owner_.on_control_line(line);
            return {};
        });
        stream_->consumed(octets.size());
        if (!taken) owner_.on_control_failed(taken.error());
    }
    void on_stream_end() override { owner_.on_control_failed({Errc::end_of_stream, "control stream ended"}); }
    void on_stream_reset(const Error& error) override { owner_.on_control_failed(error); }
    Stream::Pulled on_stream_pull(MutableOctets room) override {
        const std::size_t count = queued_.copy(reinterpret_cast<char*>(room.data()), room.size());
        queued_.erase(0, count);
        return {count, false};
    }

private:
    Owner& owner_;
    StreamPtr stream_;
    LineReader reader_;
    std::string queued_;
};

class PipedTunnel final : public Tunnel, private Pipe::Owner, private Http2Session::Owner, private ControlStream::Owner {
public:
    PipedTunnel(Loop& loop, TunnelRole role, TransportPtr transport, std::string received, const TunnelSettings& settings,
                Tunnel::Owner& owner)
        : role_(role),
          owner_(owner),
          pipe_(loop, role, std::move(transport), std::move(received), settings, *this),
          session_(loop, role, pipe_, settings, *this),
          control_(*this),
          resume_window_(settings.resume_window),
          window_(loop, [this] { end({Errc::timeout, "no new connection within the resume window"}, 1001); }),
          begin_(loop, [this] { begin(); }),
          report_end_(loop, [this] { owner_.on_tunnel_closed(*end_); }) {
        session_.start();
        begin_.ask();  // not from inside make(): the owner doesn't hold the tunnel yet
    }

    Result<StreamPtr> open(const OpenRequest& request, Stream::Owner& owner) override {
        if (end_) return fail(Errc::reset, end_->detail);
        return session_.connect(request, owner);
    }
    void send_control(std::string_view line) override {
        if (const Result<> sent = control_.send(line); !sent) close(sent.error());
    }
    void close(Error reason) override { end(std::move(reason), 1000); }
    ByteCount freeze() override {
        if (!window_.running()) window_.start(resume_window_);
        return pipe_.freeze();
    }
    bool can_resume_from(ByteCount peer_received) const override { return !end_ && pipe_.can_resume_from(peer_received); }
    Result<> resume(TransportPtr transport, std::string received, ByteCount peer_received) override {
        if (end_) return fail(Errc::reset, end_->detail);
        window_.cancel();
        Result<> resumed = pipe_.resume(std::move(transport), std::move(received), peer_received);
        if (!resumed) end(resumed.error(), 1002);
        return resumed;
    }
    bool connected() const override { return pipe_.connected(); }
    void ping() override {
        pipe_.ping();
        pipe_.flush_soon();
    }
    TimePoint heard_at() const override { return pipe_.heard_at(); }
    std::optional<TimePoint> waiting_since() const override { return pipe_.waiting_since(); }
    std::chrono::microseconds round_trip() const override { return pipe_.round_trip(); }
    std::size_t open_streams() const override {
        const std::size_t all = session_.open_streams();
        return all - std::min<std::size_t>(all, control_.attached() ? 1 : 0);
    }
    const SocketAddress& peer_address() const override { return pipe_.peer_address(); }

private:
    void begin() {
        if (end_) return;
        if (role_ == TunnelRole::relay) {
            auto stream = session_.open_control(control_);
            if (!stream) return close(stream.error());
            control_.attach(std::move(*stream));
        }
        pipe_.start();
    }

    // Everything is over at once; the owner hears of it at the end of the turn, when nothing of ours is on the stack.
    void end(Error reason, std::uint16_t close_code) {
        if (end_) return;
        end_ = std::move(reason);
        window_.cancel();
        session_.shut_down(*end_);
        pipe_.close(close_code, end_->code == Errc::internal ? "" : end_->detail);
        report_end_.ask();
    }

    void on_pipe_octets(Octets octets) override { session_.receive(octets); }
    void on_pipe_room() override { session_.pump(); }
    void on_pipe_lost(const Error& error) override {
        if (resume_window_.count() == 0) return end(error, 1002);
        window_.start(resume_window_);
        owner_.on_tunnel_lost(error);
    }
    void on_pipe_failed(const Error& error) override { end(error, 1002); }

    void on_session_ready() override { owner_.on_tunnel_ready(); }
    void on_session_stream(OpenRequest request, std::unique_ptr<IncomingStream> stream) override {
        owner_.on_tunnel_stream(std::move(request), std::move(stream));
    }
    void on_session_control(std::unique_ptr<IncomingStream> stream) override {
        if (control_.attached()) return stream->refuse({400, "http_request_denied", "a second control stream"});
        stream->set_owner(control_);
        stream->accept();
        control_.attach(std::move(stream));
    }
    void on_session_failed(const Error& error) override { end(error, 1002); }

    void on_control_line(std::string_view line) override {
        if (!end_) owner_.on_tunnel_control(line);
    }
    void on_control_failed(Error error) override { end(std::move(error), 1002); }

    TunnelRole role_;
    Tunnel::Owner& owner_;
    std::optional<Error> end_;
    Pipe pipe_;
    Http2Session session_;
    ControlStream control_;  // its stream goes before the session
    std::chrono::milliseconds resume_window_;
    Timer window_;
    TurnEnd begin_;
    TurnEnd report_end_;
};

}  // namespace

std::unique_ptr<Tunnel> Tunnel::make(Loop& loop, TunnelRole role, TransportPtr transport, std::string received,
                                     const TunnelSettings& settings, Owner& owner) {
    return std::make_unique<PipedTunnel>(loop, role, std::move(transport), std::move(received), settings, owner);
}

}  // namespace sallyport
