// agent_socket.h: an agent channel (auth-agent@openssh.com) as one end of a socket pair, for log_in_with_agent(): octets are carried both ways
// until either end is over. Lives on the channel's loop; destroying it closes both.
#pragma once
#include <memory>

#include "net/descriptor.h"
#include "net/loop.h"
#include "ssh/channel.h"

namespace sallyport::ssh {

class AgentSocket {
public:
    // `open` makes the channel with the owner it is given (ServerConnection::open_agent).
    using Open = std::function<Result<ChannelPtr>(Channel::Owner& owner)>;
    static Result<std::unique_ptr<AgentSocket>> make(Loop& loop, const Open& open);
    virtual ~AgentSocket() = default;
    virtual Descriptor take_end() = 0;  // for log_in_with_agent(), once
};

}  // namespace sallyport::ssh
