#include "gateway/stream_bridge.h"

namespace sallyport::gateway {
namespace {

using ssh::ChannelOpen;

void count(Parts& parts, SessionKind kind) {
    ++parts.counters.open[kind];
    ++parts.counters.sessions[kind];
}

void tell_end(UserChannels& connection, const ChannelOpen& asked, SessionKind kind, const ChannelBridge& bridge, TimePoint began_at) {
    Parts& parts = connection.parts();
    --parts.counters.open[kind];
    const Login& login = connection.login();
    parts.log.info("gateway.forward", {{"user", login.user},
                                       {"from", login.ip},
                                       {"key", login.key},
                                       {"kind", asked.kind == ChannelOpen::Kind::agent ? "agent" : name_of(kind)},
                                       {"at", asked.kind == ChannelOpen::Kind::agent ? "" : asked.address + ":" + std::to_string(asked.port)},
                                       {"seconds", std::chrono::duration_cast<std::chrono::seconds>(parts.loop.now() - began_at).count()},
                                       {"octets_in", bridge.octets_in()},
                                       {"octets_out", bridge.octets_out()}});
}

}  // namespace

DirectBridge::DirectBridge(UserChannels& connection, std::unique_ptr<ssh::IncomingChannel> asked)
    : ChannelBridge(connection.parts().loop), connection_(connection), asked_(std::move(asked)), began_at_(connection.parts().loop.now()) {}

DirectBridge::~DirectBridge() {
    connection_.forget(*this);
    if (carried_) tell_end(connection_, asked_->asked(), SessionKind::direct, *this, began_at_);
}

void DirectBridge::start() { connection_.need_link(*this, UserChannels::Agent::none); }

void DirectBridge::on_link(RemoteLink& link) {
    const ChannelOpen& to = asked_->asked();
    auto channel = link.connection().open_direct(far(), to.address, to.port, to.origin_address, to.origin_port);
    if (!channel) return refuse();
    set_far(std::move(*channel));
}

void DirectBridge::on_far_open() {
    auto channel = asked_->accept(near());
    if (!channel) return refuse();
    carried_ = true;
    count(connection_.parts(), SessionKind::direct);
    connection_.touch();
    set_near(std::move(*channel));
}

void DirectBridge::refuse() {
    asked_->refuse();
    close_now();
    connection_.over(*this);
}

ReverseBridge::ReverseBridge(UserChannels& connection, std::unique_ptr<ssh::IncomingChannel> asked)
    : ChannelBridge(connection.parts().loop), connection_(connection), asked_(std::move(asked)), began_at_(connection.parts().loop.now()) {}

ReverseBridge::~ReverseBridge() {
    if (carried_) tell_end(connection_, asked_->asked(), SessionKind::forwarded, *this, began_at_);
}

void ReverseBridge::start(const Open& open) {
    auto channel = open(near());
    if (!channel) return refuse();
    set_near(std::move(*channel));
}

void ReverseBridge::on_near_open() {
    auto channel = asked_->accept(far());
    if (!channel) return refuse();
    carried_ = true;
    count(connection_.parts(), SessionKind::forwarded);
    connection_.touch();
    set_far(std::move(*channel));
}

void ReverseBridge::refuse() {
    asked_->refuse();
    close_now();
    connection_.over(*this);
}

}  // namespace sallyport::gateway
