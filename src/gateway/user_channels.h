// user_channels.h: what a user's channels ask of the connection they belong to.
#pragma once
#include "gateway/login.h"
#include "gateway/parts.h"
#include "gateway/remote_link.h"
#include "ssh/server_connection.h"

namespace sallyport::gateway {

// Something that waits for the connection to the remote.
class LinkUser {
public:
    virtual void on_link(RemoteLink& link) = 0;
    virtual void on_no_link(const RemoteFailure& why) = 0;

protected:
    ~LinkUser() = default;
};

// One of a user's channels, which his connection owns.
class UserChannel {
public:
    virtual ~UserChannel() = default;
};

class UserChannels {
public:
    enum class Agent { none, forwarded };
    // on_link or on_no_link follows, perhaps inside the call. Agent::forwarded: the user's agent may be asked to log in with.
    virtual void need_link(LinkUser& user, Agent agent) = 0;
    virtual void forget(LinkUser& user) = 0;
    virtual bool let_in_by_remote() const = 0;      // nobody here knows who he is: nothing without a link
    virtual void over(UserChannel& channel) = 0;   // deleted at the end of the turn
    virtual void add(std::unique_ptr<UserChannel> channel) = 0;
    virtual void touch() = 0;                       // octets have passed: the connection isn't idle
    virtual const Login& login() const = 0;
    virtual Parts& parts() = 0;
    virtual ssh::ServerConnection& front() = 0;
    virtual RemoteLinkPtr link() = 0;
    // What the remote opens on that link, of a session that was taken up again, comes to this connection from now on.
    virtual void receive_from(RemoteLinkPtr link) = 0;

protected:
    ~UserChannels() = default;
};

}  // namespace sallyport::gateway
