// stream_bridge.h: one forwarded connection of a user: -L, -D, -J and -W (direct-tcpip, he opens it), -R (forwarded-tcpip, the remote
// opens it) and the remote's way to his agent. The side that was asked first is answered once the other side has said yes. One log
// line, gateway.forward, when it ends.
#pragma once
#include <memory>
#include <string>

#include "gateway/channel_bridge.h"
#include "gateway/user_channels.h"

namespace sallyport::gateway {

// direct-tcpip: from the user to the remote, which connects further.
class DirectBridge final : public ChannelBridge, LinkUser {
public:
    DirectBridge(UserChannels& connection, std::unique_ptr<ssh::IncomingChannel> asked);
    ~DirectBridge() override;
    void start();  // once it is where over() finds it

private:
    void on_link(RemoteLink& link) override;
    void on_no_link(const RemoteFailure&) override { refuse(); }
    void on_far_open() override;
    void on_far_refused(const Error&) override { refuse(); }
    void on_bridge_over() override { connection_.over(*this); }
    void refuse();
    UserChannels& connection_;
    std::unique_ptr<ssh::IncomingChannel> asked_;
    const TimePoint began_at_;
    bool carried_ = false;
};

// What the remote opens: `open` makes the channel to the user.
class ReverseBridge final : public ChannelBridge {
public:
    using Open = std::function<Result<ssh::ChannelPtr>(ssh::Channel::Owner& owner)>;
    ReverseBridge(UserChannels& connection, std::unique_ptr<ssh::IncomingChannel> asked);
    ~ReverseBridge() override;
    void start(const Open& open);

private:
    void on_near_open() override;
    void on_near_refused(const Error&) override { refuse(); }
    void on_bridge_over() override { connection_.over(*this); }
    void refuse();
    UserChannels& connection_;
    std::unique_ptr<ssh::IncomingChannel> asked_;
    const TimePoint began_at_;
    bool carried_ = false;
};

}  // namespace sallyport::gateway
