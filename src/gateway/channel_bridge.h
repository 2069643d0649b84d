// channel_bridge.h: joins two SSH channels, octet for octet: the near one is a user's, the far one leads to the remote. EOF goes
// through as EOF, CLOSE as CLOSE behind everything that came before it; stderr stays apart; each side's window opens as the other's
// peer takes octets, so the slower side sets the pace and at most ssh::Channel::kMostUnconsumed octets wait here each way. Lives on
// the loop of both channels.
#pragma once
#include <optional>

#include "base/octets.h"
#include "gateway/octet_queue.h"
#include "gateway/user_channels.h"
#include "net/loop.h"
#include "ssh/channel.h"

namespace sallyport::gateway {

class ChannelBridge : public UserChannel {
public:
    // A near channel on its way to another owner.
    struct Taken {
        ssh::ChannelPtr channel;
        std::string octets;  // still to be consumed()
        bool eof = false;
    };

    explicit ChannelBridge(Loop& loop);
    ChannelBridge(const ChannelBridge&) = delete;
    ChannelBridge& operator=(const ChannelBridge&) = delete;

    // The owners that the channels are opened or accepted with.
    ssh::Channel::Owner& near() { return near_; }
    ssh::Channel::Owner& far() { return far_; }
    void set_near(ssh::ChannelPtr channel);
    void set_far(ssh::ChannelPtr channel);

    ByteCount octets_in() const { return octets_in_; }    // toward the far side
    ByteCount octets_out() const { return octets_out_; }

protected:
    // A channel that was asked for is there, or isn't: then close_near(), or close_now() and nothing more.
    virtual void on_far_open() {}
    virtual void on_far_refused(const Error&) {}
    virtual void on_near_open() {}
    virtual void on_near_refused(const Error&) {}
    // The far side is gone before the near one was closed; what came from it still goes out behind this call.
    virtual void on_far_closed(const Error&) {}
    virtual ssh::Channel::Answer on_near_request(const ssh::ChannelRequest&) { return ssh::Channel::Answer::refuse; }
    // Both are closed: the last call. Loop::dispose, since it may come from inside a channel's callback.
    virtual void on_bridge_over() = 0;

    ssh::Channel* near_channel() { return near_.channel.get(); }
    ssh::Channel* far_channel() { return far_.channel.get(); }
    // Text for the user, behind what the remote sent so far; on stderr.
    void tell_user(std::string_view text);
    void close_near(std::optional<ssh::ExitStatus> exit);  // behind everything that waits for it
    void close_now();                                      // both; on_bridge_over isn't called
    // The near channel goes to another owner, with what its client has sent and nobody has taken.
    Taken take_near();
    Loop& loop() { return loop_; }
    const std::optional<ssh::ExitStatus>& exit_status() const { return told_exit_; }  // what the user was told

private:
    class End final : public ssh::Channel::Owner {
    public:
        End(ChannelBridge& bridge, End& other) : bridge_(bridge), other_(other) {}
        void wake();
        bool drained() const { return out.empty() && error.empty(); }

        ssh::ChannelPtr channel;
        OctetQueue out;    // for this end's peer
        OctetQueue error;
        bool eof = false;  // from this end's peer: nothing follows
        bool closed = false;

    private:
        void on_channel_open() override;
        void on_channel_refused(const Error& error) override;
        void on_channel_octets(Octets octets) override;
        void on_channel_error_octets(Octets octets) override;
        void on_channel_eof() override;
        void on_channel_closed(const Error& reason) override;
        ssh::Channel::Pulled on_channel_pull(MutableOctets room) override;
        ssh::Channel::Pulled on_channel_pull_error(MutableOctets room) override;
        ssh::Channel::Answer on_channel_request(const ssh::ChannelRequest& request) override;
        void on_channel_exit(const ssh::ExitStatus& status) override;
        void credit(std::size_t octets);
        ChannelBridge& bridge_;
        End& other_;
    };

    void note_closed(End& end, const Error& reason);
    void finish();
    void end();
    Loop& loop_;
    End near_;
    End far_;
    std::optional<ssh::ExitStatus> exit_;  // to be sent once the near side is drained
    std::optional<ssh::ExitStatus> told_exit_;
    bool closing_near_ = false;
    bool over_ = false;
    std::size_t told_ = 0;  // octets in near_.error that no peer of ours gets credit for
    ByteCount octets_in_ = 0;
    ByteCount octets_out_ = 0;
    bool patience_over_ = false;
    Timer patience_;
    TurnEnd finish_;
};

}  // namespace sallyport::gateway
