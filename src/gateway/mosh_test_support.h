// mosh_test_support.h: for tests: a real mosh-server on 127.0.0.1, started by the very command that the gateway sends to a remote,
// and an owner that gathers what an engine says.
#pragma once
#include <gtest/gtest.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>

#include <cstdlib>
#include <functional>
#include <string>

#include "gateway/mosh_engine.h"
#include "gateway/mosh_server_start.h"

namespace sallyport::gateway::test {

inline constexpr std::string_view kNonce = "0123456789abcdef";

// As sshd runs a command of a user whose login shell is `shell`.
inline MoshServerAnswer run_as_remote(const std::string& command, const std::string& shell = "/bin/sh",
                                      const std::string& environment = "PATH=/usr/bin:/bin") {
    const std::string file = ::testing::TempDir() + "command." + std::to_string(::getpid());
    FILE* script = ::fopen(file.c_str(), "w");
    ::fwrite(command.data(), 1, command.size(), script);
    ::fclose(script);
    const std::string line = "exec env -i HOME=/tmp SHELL=" + shell + " SSH_CONNECTION='127.0.0.1 1 127.0.0.1 22' " + environment + " " + shell +
                             " -c \"$(cat " + file + ")\" </dev/null 2>&1";
    FILE* pipe = ::popen(line.c_str(), "r");
    MoshServerAnswer answer;
    char room[4096];
    while (const std::size_t n = ::fread(room, 1, sizeof room, pipe)) answer.feed(as_octets({room, n}));
    const int status = ::pclose(pipe);
    answer.ended(WIFEXITED(status) ? std::optional<int>(WEXITSTATUS(status)) : std::nullopt);
    ::remove(file.c_str());
    return answer;
}

// Ends with the test, should it still run.
struct RunningMoshServer {
    explicit RunningMoshServer(const std::string& inside_command, const std::string& shell = "/bin/sh") {
        MoshServerRequest request;
        request.command = inside_command;
        request.network_timeout = std::chrono::seconds(120);
        request.exit_nonce = kNonce;
        request.environment = {{"LANG", "C.UTF-8"}, {"COLORTERM", "truecolor"}};
        const MoshServerAnswer answer = run_as_remote(mosh_server_command(request), shell);
        if (!answer.server()) {
            ADD_FAILURE() << "mosh-server did not start: " << name_of(answer.failure().value_or(MoshServerFailure::failed));
            std::abort();
        }
        server = *answer.server();
    }
    ~RunningMoshServer() {
        if (server.pid) ::kill(static_cast<pid_t>(*server.pid), SIGKILL);
    }
    MoshStart start(std::string term = "xterm-256color") const {
        return {*SocketAddress::parse("127.0.0.1", server.port), server, std::string(kNonce), std::move(term)};
    }
    MoshServer server;
};

struct GatheringOwner final : TerminalEngine::Owner {
    void on_terminal_octets(Octets octets) override { text += as_text(octets); }
    void on_terminal_contact() override { ++contacts; }
    void on_terminal_room() override { ++rooms; }
    void on_terminal_end(const TerminalEnd& ended) override { end = ended; }
    std::string text;
    int contacts = 0, rooms = 0;
    std::optional<TerminalEnd> end;
};

// Turns the loop until `done`, or fails the test after a time that only a hanging one needs.
inline void turn_until(Loop& loop, const std::function<bool()>& done) {
    const auto deadline = Clock::now() + std::chrono::seconds(60);
    while (!done()) {
        if (Clock::now() > deadline) {
            ADD_FAILURE() << "gave up waiting";
            return;
        }
        loop.turn(std::chrono::milliseconds(200));
    }
}

}  // namespace sallyport::gateway::test
