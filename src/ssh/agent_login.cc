#include "ssh/agent_login.h"

#include <fcntl.h>
#include <sys/socket.h>

namespace sallyport::ssh {

struct AgentLogin::Shared {
    std::function<void(int)> done;  // the loop's; empty once nobody waits
};

AgentLogin::AgentLogin(Loop& loop, ssh_session session, std::string user, Descriptor agent, std::function<void(int)> done)
    : cut_(::fcntl(agent.get(), F_DUPFD_CLOEXEC, 0)), shared_(std::make_shared<Shared>(std::move(done))) {
    ::fcntl(agent.get(), F_SETFL, ::fcntl(agent.get(), F_GETFL) & ~O_NONBLOCK);
    const bool usable = ssh_set_agent_socket(session, agent.get()) == SSH_OK;
    if (usable) [[maybe_unused]] const int owned_by_session = agent.release();
    thread_ = std::thread([&loop, session, user = std::move(user), shared = std::weak_ptr<Shared>(shared_), usable] {
        ssh_set_blocking(session, 1);
        const int result = usable ? ssh_userauth_agent(session, user.c_str()) : SSH_AUTH_ERROR;
        ssh_set_blocking(session, 0);
        loop.post([shared, result] {
            const std::shared_ptr<Shared> alive = shared.lock();
            if (!alive || !alive->done) return;
            const auto done = std::exchange(alive->done, nullptr);
            done(result);
        });
    });
}

AgentLogin::~AgentLogin() {
    shared_->done = nullptr;
    cut();
    thread_.join();
}

void AgentLogin::cut() { ::shutdown(cut_.get(), SHUT_RDWR); }

}  // namespace sallyport::ssh
