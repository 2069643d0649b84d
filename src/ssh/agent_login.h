// agent_login.h: ssh_userauth_agent in a thread of its own: libssh waits for the agent's answers, which come from a person's machine far away.
// The session is the thread's alone meanwhile. Made and destroyed on the loop; destroying waits for the thread, so shut the session's
// socket first. Internal to src/ssh.
#pragma once
#include <functional>
#include <memory>
#include <string>
#include <thread>

#include "net/descriptor.h"
#include "net/loop.h"
#include "ssh/handles.h"

namespace sallyport::ssh {

class AgentLogin {
public:
    // `done` is called on the loop with libssh's result; it may destroy this.
    AgentLogin(Loop& loop, ssh_session session, std::string user, Descriptor agent, std::function<void(int)> done);
    ~AgentLogin();
    void cut();  // the agent answers nothing more

private:
    struct Shared;
    Descriptor cut_;  // a duplicate of the agent's socket, which libssh closes
    std::shared_ptr<Shared> shared_;
    std::thread thread_;
};

}  // namespace sallyport::ssh
