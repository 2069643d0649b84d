// ssh_public_look.h: a look from here at the port that an SSH server has opened, whether it came out as it was asked for. sshd
// has the last word on the address it listens on (GatewayPorts) and doesn't say so: what should be public may be on its loopback,
// and the other way round. One connection, sent nothing; the second case counts only if it also arrives at home, since somebody
// else may listen on that port of another address. Lives on one loop; destroying it ends it.
#pragma once
#include <memory>
#include <optional>
#include <string>

#include "agent/ssh_link.h"
#include "agent/ssh_server.h"
#include "base/log.h"
#include "net/connector.h"

namespace sallyport {

// Where to look for a forward that stands at `port`, and what is expected there. Nothing: it can't be told from here. Pure.
struct PublicLookPlan {
    std::string host;
    bool should_be_reached = false;
    bool operator==(const PublicLookPlan&) const = default;
};
std::optional<PublicLookPlan> plan_public_look(const RemoteForward& forward, const SshLink::Up& up);

class SshPublicLook {
public:
    SshPublicLook(Loop& loop, Workers& workers, Log& log, std::string server, std::size_t forward, std::string listen, std::uint16_t port,
                  PublicLookPlan plan);
    SshPublicLook(const SshPublicLook&) = delete;
    SshPublicLook& operator=(const SshPublicLook&) = delete;

    std::size_t forward() const { return forward_; }
    void on_stream();  // somebody came in at this forward

private:
    static constexpr std::chrono::seconds kArrival{10};
    void on_connected(Result<Descriptor> connected);
    void judge_arrival();

    Log& log_;
    const std::string server_;
    const std::size_t forward_;
    const std::string listen_;
    const PublicLookPlan plan_;
    Descriptor connection_;
    bool arrived_ = false;
    bool told_ = false;
    Timer patience_;
    Connector connector_;
};

}  // namespace sallyport
