#include "gateway/mosh_server_start.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "gateway/mosh_test_support.h"

namespace sallyport::gateway {
namespace {

using namespace test;

MoshServerAnswer answer_to(std::string_view out, std::optional<int> status, std::size_t cut = 1'000'000) {
    MoshServerAnswer answer;
    answer.feed(as_octets(out.substr(0, cut)));
    if (cut < out.size()) answer.feed(as_octets(out.substr(cut)));
    answer.ended(status);
    return answer;
}

}  // namespace

TEST(MoshServerAnswer, FindsPortKeyAndPidHoweverItIsCut) {
    const std::string out =
        "Welcome!\r\n\r\nMOSH CONNECT 60001 ZHkDlFfYLtSGrXSZnd6O/Q\r\n\nmosh-server (mosh 1.4.0)\n[mosh-server detached, pid = 4711]\n";
    for (std::size_t cut = 0; cut <= out.size(); ++cut) {
        const auto answer = answer_to(out, 0, cut);
        ASSERT_TRUE(answer.server());
        EXPECT_EQ(answer.server()->port, 60001);
        EXPECT_EQ(answer.server()->key.reveal(), "ZHkDlFfYLtSGrXSZnd6O/Q");
        EXPECT_EQ(answer.server()->pid, 4711);
        EXPECT_FALSE(answer.failure());
    }
}

TEST(MoshServerAnswer, KnowsWhyThereIsNone) {
    const std::vector<std::tuple<std::string_view, std::optional<int>, MoshServerFailure>> table{
        {"SALLYPORT NO MOSH-SERVER\n", 127, MoshServerFailure::not_installed},
        {"", 127, MoshServerFailure::not_installed},
        {"bash: line 1: mosh-server: command not found", 1, MoshServerFailure::not_installed},
        {"mosh-server needs a UTF-8 native locale to run.\n", 1, MoshServerFailure::no_utf8},
        {"Failed binding to 10.0.0.1:60001-60999\nNetwork exception: bind: Address already in use\n", 1, MoshServerFailure::no_port},
        {"This account is currently not available.\n", 1, MoshServerFailure::failed},
        {"", std::nullopt, MoshServerFailure::failed},
        {"MOSH CONNECT 0 ZHkDlFfYLtSGrXSZnd6O/Q\n", 0, MoshServerFailure::failed},
        {"MOSH CONNECT 65536 ZHkDlFfYLtSGrXSZnd6O/Q\n", 0, MoshServerFailure::failed},
        {"MOSH CONNECT 60001 ZHkDlFfYLtSGrXSZnd6O\n", 0, MoshServerFailure::failed},
        {"MOSH CONNECT 60001 ZHkDlFfYLtSGrXSZnd6O/Q;id\n", 0, MoshServerFailure::failed},
        {"MOSH CONNECT 60001 ZHkDlFfYLtSGrXSZnd6O/R\n", 0, MoshServerFailure::failed},
        {"MOSH CONNECT 6x1 ZHkDlFfYLtSGrXSZnd6O/Q\n", 0, MoshServerFailure::failed},
        {"MOSH CONNECT\n", 0, MoshServerFailure::failed},
    };
    for (const auto& [out, status, expected] : table) EXPECT_EQ(answer_to(out, status).failure(), expected) << out;
}

TEST(MoshServerAnswer, EndlessNoiseIsAFailure) {
    MoshServerAnswer answer;
    const std::string noise(MoshServerAnswer::kMostOctets + 1, 'x');
    answer.feed(as_octets(noise));
    EXPECT_EQ(answer.failure(), MoshServerFailure::failed);
    answer.feed(as_octets("\nMOSH CONNECT 60001 ZHkDlFfYLtSGrXSZnd6O/Q\n"));
    EXPECT_FALSE(answer.server());
}

TEST(MoshServerCommand, HandsOnOnlyHarmlessLocaleAndColour) {
    MoshServerRequest request;
    request.exit_nonce = kNonce;
    request.environment = {{"LANG", "de_DE.ISO-8859-1@euro"}, {"LC_ALL", "C"},       {"LC_TIME", "$(id)"}, {"LD_PRELOAD", "evil.so"},
                           {"COLORTERM", "truecolor"},        {"LC_x", "en_US.UTF-8"}, {"PATH", "bin"},      {"LANGUAGE", "de:en"}};
    const std::string command = mosh_server_command(request);
    EXPECT_TRUE(command.ends_with(" 0123456789abcdef '' LANG=de_DE.UTF-8@euro LC_ALL=C.UTF-8 COLORTERM=truecolor LANGUAGE=de:en")) << command;
    EXPECT_EQ(command.find("evil"), std::string::npos);
}

TEST(MoshServerCommand, HasNothingThatSomeShellReadsDifferently) {
    MoshServerRequest request;
    request.exit_nonce = kNonce;
    request.command = "echo 'it!'; echo \"$HOME\"\n\\";
    const std::string command = mosh_server_command(request);
    EXPECT_EQ(command.find('\n'), std::string::npos);
    EXPECT_EQ(command.find('!'), std::string::npos);
    EXPECT_EQ(command.find("\\\\"), std::string::npos);
    EXPECT_EQ(command.find("\\'"), std::string::npos);
    EXPECT_EQ(std::ranges::count(command, '\''), 6);  // two scripts and the command
}

TEST(MoshServerCommand, StartsUnderEveryShellThatIsHere) {
    for (const std::string shell : {"/bin/sh", "/bin/bash", "/usr/bin/zsh", "/usr/bin/fish", "/bin/tcsh", "/bin/ksh", "/bin/busybox sh"}) {
        if (::access(shell.substr(0, shell.find(' ')).c_str(), X_OK) != 0) continue;
        RunningMoshServer remote("true", shell.substr(0, shell.find(' ')));
        EXPECT_GT(remote.server.port, 0) << shell;
        EXPECT_TRUE(remote.server.pid) << shell;
    }
}

TEST(MoshServerCommand, SaysWhenMoshServerIsMissing) {
    MoshServerRequest request;
    request.exit_nonce = kNonce;
    request.program = "no-mosh-server";
    EXPECT_EQ(run_as_remote(mosh_server_command(request)).failure(), MoshServerFailure::not_installed);
}

TEST(MoshServerCommand, KeepsToItsPorts) {
    MoshServerRequest request;
    request.exit_nonce = kNonce;
    request.command = "true";
    request.program = "/usr/bin/mosh-server";
    request.first_port = 61'200;
    request.last_port = 61'900;
    const MoshServerAnswer answer = run_as_remote(mosh_server_command(request));
    ASSERT_TRUE(answer.server());
    EXPECT_GE(answer.server()->port, 61'200);
    EXPECT_LE(answer.server()->port, 61'900);
    if (answer.server()->pid) ::kill(static_cast<pid_t>(*answer.server()->pid), SIGKILL);
}

}  // namespace sallyport::gateway
