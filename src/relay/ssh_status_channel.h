// ssh_status_channel.h: the session channel of an SSH client (`ssh home@relay`): shows how the agent stands and ends; while the connection
// forwards something it stays, until the user ends it by Ctrl-C, Ctrl-D or end of input. Whoever wants a command is told that there is none. Lives
// on its connection's loop; when it says that it is over, dispose of it (Loop::dispose).
#pragma once
#include <memory>
#include <string>
#include <string_view>

#include "net/loop.h"
#include "ssh/channel.h"

namespace sallyport::relay {

class SshStatusChannel final : private ssh::Channel::Owner {
public:
    class Host {
    public:
        virtual bool forwards_settled() const = 0;  // no request to forward waits for its answer
        virtual bool serves() const = 0;            // the connection forwards something
        virtual std::string status_text() const = 0;  // lines that end in \n
        virtual void on_status_channel_over(SshStatusChannel& channel) = 0;

    protected:
        ~Host() = default;
    };

    SshStatusChannel(Loop& loop, Host& host);
    Result<> begin(std::unique_ptr<ssh::IncomingChannel> incoming);

    void on_settled();                         // forwards_settled() has become true, or serves() false
    void tell_error(std::string_view line);    // on stderr

private:
    using Answer = ssh::Channel::Answer;
    Answer on_channel_request(const ssh::ChannelRequest& request) override;
    void on_channel_octets(Octets octets) override;
    void on_channel_eof() override;
    void on_channel_closed(const Error& reason) override;
    ssh::Channel::Pulled on_channel_pull(MutableOctets room) override;
    ssh::Channel::Pulled on_channel_pull_error(MutableOctets room) override;

    void show();
    void end(unsigned code);
    std::string as_shown(std::string_view text) const;

    Host& host_;
    std::string out_;
    std::string err_;
    bool terminal_ = false;
    bool started_ = false;
    bool shown_ = false;
    bool wants_end_ = false;
    bool ended_ = false;
    unsigned code_ = 0;
    ssh::ChannelPtr channel_;
    TurnEnd over_;
};

}  // namespace sallyport::relay
