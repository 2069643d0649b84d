// user_terminal.h: a user's session channel with a terminal on it: offers him the sessions that wait for him, starts a new one, and
// then carries keys and screen between his channel and the session. When the channel goes, the session stays. Lives on the
// gateway's loop.
#pragma once
#include <memory>
#include <optional>
#include <string>

#include "gateway/channel_bridge.h"
#include "gateway/resume_dialogue.h"
#include "gateway/terminals.h"
#include "gateway/user_channels.h"

namespace sallyport::gateway {

class UserTerminal final : public UserChannel, ssh::Channel::Owner, SessionClient, LinkUser {
public:
    // The connection owns it from then on.
    static void take_over(UserChannels& connection, ChannelBridge::Taken taken, TerminalWish wish);
    UserTerminal(UserChannels& connection, ChannelBridge::Taken taken, TerminalWish wish);
    ~UserTerminal() override;

private:
    static constexpr std::size_t kMostKeys = 64 * 1024;  // typed before there is a session

    void begin();
    void look_for_the_gone();
    void offer();
    void ask();
    void take_answer(const ResumeDialogue::Answer& answer);
    void start_fresh();
    void attach(TerminalSession& session);
    void feed();                 // keys to whom they belong
    void say(std::string_view text);
    void leave(std::optional<ssh::ExitStatus> exit, std::string_view message);
    void finish();
    void wake();

    void on_channel_octets(Octets octets) override;
    void on_channel_eof() override {}  // a terminal has no end of input; its user types it
    void on_channel_closed(const Error& reason) override;
    ssh::Channel::Pulled on_channel_pull(MutableOctets room) override;
    ssh::Channel::Pulled on_channel_pull_error(MutableOctets room) override;
    ssh::Channel::Answer on_channel_request(const ssh::ChannelRequest& request) override;

    void on_session_octets_ready() override { wake(); }
    void on_session_room() override { feed(); }
    void on_session_left(const Leave& leave) override;
    bool seems_gone() const override;

    void on_link(RemoteLink& link) override;
    void on_no_link(const RemoteFailure& why) override;

    UserChannels& connection_;
    Loop& loop_;
    ssh::ChannelPtr channel_;
    TerminalWish wish_;
    OctetQueue keys_;
    OctetQueue text_;
    OctetQueue message_;  // for stderr
    std::optional<ResumeDialogue> dialogue_;
    std::vector<TerminalSession*> offered_;
    std::unique_ptr<Terminals::Opening> opening_;
    TerminalSession* session_ = nullptr;
    bool leaving_ = false;
    std::optional<ssh::ExitStatus> exit_;
    std::optional<TimePoint> pinged_at_;  // a newcomer wants to know whether our client is still there
    TimePoint gone_by_;                   // we are the newcomer: who hasn't answered by then is gone
    Timer look_;
    TurnEnd finish_;
};

}  // namespace sallyport::gateway
