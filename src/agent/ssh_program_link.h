// ssh_program_link.h: an SshLink that the system's ssh makes: `ssh -N`, with the options that only it understands. Each forward
// leads to a Unix socket of ours, so that the agent connects to its own targets as ever. What it says is understood by
// ssh_program_output.h, and is in the log (debug). check() does nothing: ssh asks for signs of life by itself.
#pragma once
#include <memory>
#include <vector>

#include "agent/child_process.h"
#include "agent/ssh_link.h"
#include "agent/ssh_program_output.h"
#include "agent/ssh_server.h"
#include "agent/transport_stream.h"
#include "base/log.h"
#include "net/socket.h"

namespace sallyport {

// What ssh is called with, in front of the server's name and behind the program's. Pure, for tests.
std::vector<std::string> ssh_arguments(const SshServer& server, const std::filesystem::path& known_hosts, const std::vector<std::string>& sockets);

class SshProgramLink final : public SshLink, private ChildProcess::Owner {
public:
    // What can't be started is told by on_link_closed, from the loop. `worked`: its forwards stood before. `streams` outlives it.
    SshProgramLink(Loop& loop, Log& log, TransportStreams& streams, const SshServer& server, bool worked, SshLink::Owner& owner);
    ~SshProgramLink() override;

    void check() override {}
    void close() override;

    static constexpr std::chrono::seconds kSetUp{90};  // until every forward stands

private:
    Result<> start();
    void on_child_line(std::string_view line) override;
    void on_child_end(int status) override;
    void end(const SshFailure& why);

    Loop& loop_;
    Log& log_;
    const SshServer& server_;
    SshLink::Owner& owner_;
    bool over_ = false;  // the owner was told, or has closed it
    SshProgramOutput output_;
    std::filesystem::path folder_;  // of the sockets, 0700
    TransportStreams& streams_;
    std::vector<std::unique_ptr<Acceptor>> acceptors_;
    std::unique_ptr<ChildProcess> child_;
    SshFailure cannot_start_;
    Timer deadline_;
    Timer gone_;
};

}  // namespace sallyport
