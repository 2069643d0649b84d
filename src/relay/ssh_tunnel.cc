#include "relay/ssh_tunnel.h"

namespace sallyport::relay {
namespace {

class RefusedStream final : public Stream {
public:
    RefusedStream(Loop& loop, Owner& owner, Refusal refusal)
        : owner_(&owner), refusal_(std::move(refusal)), tell_(loop, [this] {
              if (Owner* told = std::exchange(owner_, nullptr)) told->on_stream_refused(refusal_);
          }) {
        tell_.ask();
    }
    void wake() override {}
    void consumed(ByteCount) override {}
    void reset() override { owner_ = nullptr; }

private:
    Owner* owner_;
    Refusal refusal_;
    TurnEnd tell_;
};

}  // namespace

StreamPtr make_refused_stream(Loop& loop, Stream::Owner& owner, Refusal refusal) {
    return std::make_unique<RefusedStream>(loop, owner, std::move(refusal));
}

SshTunnel::SshTunnel(Loop& loop, Client* client, Tunnel::Owner& owner)
    : client_(client), owner_(owner), over_(loop, [this] { owner_.on_tunnel_closed(reason_); }) {
    if (client_) peer_ = client_->peer_address();
    else over_.ask();
}

SshTunnel::~SshTunnel() {
    if (client_) client_->on_tunnel_gone();
}

void SshTunnel::say(const ControlMessage& message) {
    std::string line = format_control_message(message);
    if (line.ends_with('\n')) line.pop_back();
    owner_.on_tunnel_control(line);
}

void SshTunnel::detach(Error reason) {
    client_ = nullptr;
    reason_ = std::move(reason);
    over_.ask();
}

Result<StreamPtr> SshTunnel::open(const OpenRequest& request, Stream::Owner& owner) {
    if (!client_) return fail(Errc::unreachable, "the SSH client has gone");
    return client_->open_stream(request, owner);
}

void SshTunnel::send_control(std::string_view line) {
    const auto message = parse_control_message(line);
    if (!client_ || !message) return;
    if (std::holds_alternative<RoutesMessage>(*message)) client_->on_routes_changed();
    else if (const auto* drain = std::get_if<DrainMessage>(&*message)) client_->on_drain(drain->deadline);
    else if (const auto* other = std::get_if<UnknownMessage>(&*message); other && other->kind == "probe") client_->on_probe_wanted();
}

void SshTunnel::close(Error reason) {
    if (client_) client_->close_connection(std::move(reason));
}

void SshTunnel::ping() {
    if (client_) client_->ping();
}

}  // namespace sallyport::relay
