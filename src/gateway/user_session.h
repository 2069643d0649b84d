// user_session.h: one session channel of a user (RFC 4254 6): takes what he asks for, environment, pty, a command, a subsystem or a
// shell, and carries it to a session channel at the remote. A command= of his key takes the place of whatever he asked for. One log
// line, gateway.session, when it ends.
#pragma once
#include <string>
#include <utility>
#include <vector>

#include "gateway/channel_bridge.h"
#include "gateway/user_channels.h"

namespace sallyport::gateway {

class UserSession final : public ChannelBridge, LinkUser {
public:
    explicit UserSession(UserChannels& connection);
    ~UserSession() override;

private:
    static constexpr std::size_t kMostVariables = 128;
    static constexpr std::size_t kMostVariableOctets = 32 * 1024;

    ssh::Channel::Answer on_near_request(const ssh::ChannelRequest& request) override;
    void on_link(RemoteLink& link) override;
    void on_no_link(const RemoteFailure& why) override;
    void on_far_open() override;
    void on_far_refused(const Error& error) override;
    void on_far_closed(const Error& reason) override;
    void on_bridge_over() override;

    bool take_variable(const ssh::ChannelRequest& request);
    ssh::Channel::Answer begin(const ssh::ChannelRequest& request);
    void start_at_remote();
    bool is_terminal() const;
    void go_on_as_terminal();
    void give_up(std::string_view why);
    SessionKind kind() const;

    UserChannels& connection_;
    const TimePoint began_at_;
    std::vector<std::pair<std::string, std::string>> variables_;
    std::size_t variable_octets_ = 0;
    bool agent_ = false;
    bool pty_ = false;
    std::string term_;
    ssh::TerminalSize size_;
    std::optional<ssh::ChannelRequest> request_;  // what it is for
    bool counted_ = false;
    bool answered_ = false;
    std::string exit_ = "none";
};

// What the remote runs for a key with command=: as sshd does, with what was asked for in SSH_ORIGINAL_COMMAND.
std::string forced_command(std::string_view command, std::string_view original);

}  // namespace sallyport::gateway
