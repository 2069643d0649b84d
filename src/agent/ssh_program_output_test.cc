#include "agent/ssh_program_output.h"

#include <gmock/gmock.h>

namespace sallyport {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using News = SshProgramOutput::News;

constexpr int kStatus255 = 255 << 8;  // as waitpid() gives it
constexpr std::string_view kLine = "restrict,port-forwarding ssh-ed25519 AAAA";

SshServerConfig server(std::vector<std::string_view> lines = {"127.0.0.1:8123:homeassistant:8123"}) {
    SshServerConfig config;
    config.name = config.hostname = "relay.example.org";
    config.username = "home";
    for (const std::string_view line : lines) config.forwards.push_back({*parse_remote_forward(line), false});
    return config;
}

SshProgramOutput output(bool worked = false, std::vector<std::string_view> lines = {"127.0.0.1:8123:homeassistant:8123"}) {
    return {server(std::move(lines)), std::string(kLine), {"SHA256:known"}, worked};
}

TEST(SshProgramOutput, FollowsAConnection) {  // as OpenSSH 9.2 says it
    SshProgramOutput out = output();
    for (const std::string_view line : {"OpenSSH_9.2p1 Debian-2+deb12u10, OpenSSL 3.0.22 25 Aug 2026\r", "debug1: Connecting to relay.example.org [2001:db8::1] port 2222.\r",
                                        "debug1: Connection established.\r", "debug1: Remote protocol version 2.0, remote software version OpenSSH_9.2p1 Debian-2+deb12u10\r",
                                        "debug1: Server host key: ssh-ed25519 SHA256:iC+zv9UsMlxyW7xq\r"})
        EXPECT_EQ(out.take(line), News::nothing) << line;
    EXPECT_EQ(out.take("Warning: Permanently added '[relay.example.org]:2222' (ED25519) to the list of known hosts.\r"), News::key_noted);
    EXPECT_EQ(out.take("Authenticated to relay.example.org ([2001:db8::1]:2222) using \"publickey\".\r"), News::nothing);
    EXPECT_FALSE(out.up());
    EXPECT_EQ(out.take("debug1: remote forward success for: listen 127.0.0.1:8123, connect /tmp/x:-2\r"), News::up);
    EXPECT_TRUE(out.up());
    EXPECT_EQ(out.address(), "[2001:db8::1]:2222");
    EXPECT_EQ(out.version(), "OpenSSH_9.2p1 Debian-2+deb12u10");
    EXPECT_EQ(out.host_key(), "SHA256:iC+zv9UsMlxyW7xq");
    EXPECT_THAT(out.ports(), ElementsAre(8123));
    out.take("Timeout, server relay.example.org not responding.\r");
    EXPECT_EQ(out.failure(kStatus255).kind, SshFailure::Kind::ended);
    EXPECT_THAT(out.failure(kStatus255).reason, HasSubstr("not responding"));
}

TEST(SshProgramOutput, WaitsForAllForwardsAndTheirPorts) {
    SshProgramOutput out = output(false, {"127.0.0.1:1:a:1", "*:0:a:1", "[::1]:0:a:1"});
    EXPECT_EQ(out.take("debug1: remote forward success for: listen 127.0.0.1:1, connect /tmp/0:-2"), News::nothing);
    EXPECT_EQ(out.take("debug1: remote forward success for: listen *:0, connect /tmp/1:-2"), News::nothing);
    EXPECT_EQ(out.take("Allocated port 40001 for remote forward to /tmp/1:-2"), News::nothing);
    EXPECT_EQ(out.take("debug1: remote forward success for: listen [::1]:0, connect /tmp/2:-2"), News::nothing);
    EXPECT_EQ(out.take("Allocated port 40002 for remote forward to /tmp/2:-2"), News::up);
    EXPECT_THAT(out.ports(), ElementsAre(1, 40001, 40002));
    EXPECT_EQ(out.take("debug1: Remote: Forwarding listen address \"192.0.2.1\" overridden by server GatewayPorts"), News::bind_overridden);
}

TEST(SshProgramOutput, UnderstandsWhyItEnds) {
    struct Row {
        std::vector<std::string_view> lines;
        SshFailure::Kind kind;
        std::string_view words;
    };
    const Row rows[] = {
        {{"ssh: Could not resolve hostname relay.example.org: Name or service not known\r"}, SshFailure::Kind::network, "Could not resolve"},
        {{"ssh: connect to host relay.example.org port 22: Connection refused\r"}, SshFailure::Kind::network, "refused"},
        {{"kex_exchange_identification: banner line contains invalid characters\r", "banner exchange: Connection to 127.0.0.1 port 80: invalid format\r"}, SshFailure::Kind::no_ssh, "invalid"},
        {{"home@relay.example.org: Permission denied (publickey,keyboard-interactive).\r"}, SshFailure::Kind::key_refused, kLine},
        {{"Received disconnect from 192.0.2.1 port 22:2: Too many authentication failures"}, SshFailure::Kind::key_refused, kLine},
        {{"debug1: Server host key: ssh-ed25519 SHA256:shown", "@    WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!     @\r", "Host key verification failed.\r"},
         SshFailure::Kind::host_key_changed, "SHA256:shown"},
        {{"No ED25519 host key is known for relay.example.org and you have requested strict checking.\r", "Host key verification failed.\r"}, SshFailure::Kind::host_key_unknown, "known_hosts"},
        {{"Error: remote port forwarding failed for listen port 8123\r"}, SshFailure::Kind::forward_refused, "AllowTcpForwarding"},
        {{"command-line: line 0: Bad configuration option: nosuch\r"}, SshFailure::Kind::setup, "nosuch"},
        {{"Something else\r"}, SshFailure::Kind::protocol, "ssh ended with 255: Something else"},
        {{}, SshFailure::Kind::protocol, "ssh ended with 255"},
    };
    for (const Row& row : rows) {
        SshProgramOutput out = output();
        for (const std::string_view line : row.lines) out.take(line);
        const SshFailure why = out.failure(kStatus255);
        EXPECT_EQ(why.kind, row.kind) << (row.lines.empty() ? "" : row.lines[0]);
        EXPECT_THAT(why.reason + why.advice, HasSubstr(row.words));
    }
    SshProgramOutput again = output(true);
    again.take("Error: remote port forwarding failed for listen port 8123");
    EXPECT_EQ(again.failure(kStatus255).kind, SshFailure::Kind::forward_taken);
    EXPECT_THAT(output().failure(9).reason, HasSubstr("signal 9"));
}

TEST(SshProgramOutput, HearsWhatARelayOfOursSays) {
    SshProgramOutput out = output();
    out.take("debug1: Remote protocol version 2.0, remote software version Sallyport");
    out.take("Authenticated to relay.example.org ([192.0.2.1]:2222) using \"publickey\".");
    out.take("Received disconnect from 192.0.2.1 port 2222:11: no route of this agent has the name x.example");
    out.take("Disconnected from 192.0.2.1 port 2222");
    const SshFailure why = out.failure(kStatus255);
    EXPECT_EQ(why.kind, SshFailure::Kind::forward_refused);
    EXPECT_EQ(why.reason, "the relay says: no route of this agent has the name x.example");
    EXPECT_EQ(refused_by_relay("Received SSH_MSG_DISCONNECT: 11:the relay is stopping or being replaced; connect again").kind, SshFailure::Kind::network);
    EXPECT_EQ(refused_by_relay("Received SSH_MSG_DISCONNECT: 11:no").reason, "the relay says: no");
}

TEST(SshProgramOutput, KeepsLittleOfWhatTheServerSays) {
    SshProgramOutput out = output();
    out.take("debug1: Remote protocol version 2.0, remote software version " + std::string(4000, '\x1b'));
    EXPECT_EQ(out.version(), std::string(SshProgramOutput::kMaxKept, '?'));
}

}  // namespace
}  // namespace sallyport
