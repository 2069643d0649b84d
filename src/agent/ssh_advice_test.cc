#include "agent/ssh_advice.h"

#include <gmock/gmock.h>

#include "agent/ssh_library_link.h"
#include "agent/ssh_memory.h"
#include "agent/ssh_preflight.h"
#include "agent/ssh_public_look.h"
#include "agent/agent_test_support.h"

namespace sallyport {
namespace {

using testing::AllOf;
using testing::HasSubstr;

SshForward forward(std::string_view line) { return {*parse_remote_forward(line), false}; }

TEST(SshAdvice, TheLineAllowsTheForwardsAndNothingElse) {
    const auto key = parse_ssh_public_key("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIPCwWHQFTb7mUhsrAyuL4mpc2smYujtanGuNcsn+fAm3 sallyport");
    ASSERT_TRUE(key) << key.error().detail;
    EXPECT_EQ(authorized_keys_line({forward("127.0.0.1:8123:a:1"), forward("[::1]:0:a:1"), forward("*:80:a:1"), forward("[::1]:0:b:1")}, *key),
              "restrict,port-forwarding,permitlisten=\"127.0.0.1:8123\",permitlisten=\"[::1]:*\",permitlisten=\"*:80\" " + key->text());
}

TEST(SshAdvice, NamesWhatToDo) {
    SshServerConfig server;
    server.name = "spare";
    server.hostname = "relay.example.org";
    server.username = "home";
    EXPECT_THAT(host_key_changed(server, "SHA256:new", {"SHA256:old"}).advice, HasSubstr("sallyport agent trust spare"));
    const RemoteForward low = *parse_remote_forward("127.0.0.1:80:a:80");
    EXPECT_THAT(forward_refused(server, low, ForwardDoubt::not_permitted, "LINE").advice,
                AllOf(HasSubstr("AllowTcpForwarding"), HasSubstr("PermitListen"), HasSubstr("permitlisten=\"127.0.0.1:80\""), HasSubstr("below 1024"), HasSubstr("LINE")));
    EXPECT_THAT(forward_taken(server, low).advice, AllOf(HasSubstr("ClientAliveInterval 15"), HasSubstr("ClientAliveCountMax 3")));
    server.host_keys = {"SHA256:old"};
    EXPECT_THAT(host_key_changed(server, "SHA256:new", {"SHA256:old"}).advice, HasSubstr("change host_key"));
}

TEST(SshBanner, IsReadWhole) {
    struct Row {
        std::string_view received;
        SshBanner::State state;
        std::string_view version;
    };
    const std::string long_line = "SSH-2.0-" + std::string(300, 'x');
    const Row rows[] = {
        {"", SshBanner::State::need_more, ""},
        {"SSH-2.0-Open", SshBanner::State::need_more, "SSH-2.0-Open"},
        {"SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n", SshBanner::State::ssh, "OpenSSH_9.2p1 Debian-2"},
        {"Welcome\r\nSSH-1.99-dropbear\n", SshBanner::State::ssh, "dropbear"},
        {"SSH-1.5-old\n", SshBanner::State::not_ssh, "SSH-1.5-old"},
        {"HTTP/1.1 400 Bad Request\r\n", SshBanner::State::not_ssh, "HTTP/1.1 400 Bad Request"},
        {"220 mail ESMTP\r\n", SshBanner::State::not_ssh, "220 mail ESMTP"},
        {"\x1b[2J\nSSH-2.0-a\x1b\n", SshBanner::State::ssh, "a?"},
    };
    for (const Row& row : rows) {
        const SshBanner banner = read_ssh_banner(row.received);
        EXPECT_EQ(banner.state, row.state) << row.received;
        if (row.state != SshBanner::State::need_more) EXPECT_EQ(banner.version, row.version);
    }
    EXPECT_EQ(read_ssh_banner(long_line).state, SshBanner::State::ssh);
    EXPECT_EQ(read_ssh_banner(std::string(kMaxBeforeBanner, 'x')).state, SshBanner::State::not_ssh);
}

TEST(SshLibraryLink, KnowsTheForwardThatAChannelCameInAt) {
    const std::vector<SshForward> forwards = {forward("127.0.0.1:80:a:1"), forward("*:0:b:1"), forward("localhost:81:c:1"), forward("127.0.0.1:81:d:1")};
    const std::vector<std::uint16_t> ports = {80, 4001, 81, 81};
    EXPECT_EQ(forward_of(forwards, ports, "127.0.0.1", 80), 0u);
    EXPECT_EQ(forward_of(forwards, ports, "", 4001), 1u);
    EXPECT_EQ(forward_of(forwards, ports, "0.0.0.0", 4001), 1u) << "a server may say it in its own way";
    EXPECT_EQ(forward_of(forwards, ports, "127.0.0.1", 81), 3u);
    EXPECT_EQ(forward_of(forwards, ports, "127.0.0.1", 22), std::nullopt);
    EXPECT_EQ(forward_of(forwards, {80}, "127.0.0.1", 81), std::nullopt) << "not asked for yet";
    EXPECT_EQ(forward_of(forwards, {80}, "", 4001), 1u) << "asked for, and faster than the answer";
    EXPECT_EQ(forward_of(forwards, {80, 4001}, "localhost", 81), 2u);
    EXPECT_EQ(forward_of(forwards, {80, 4001}, "localhost", 82), std::nullopt);
}

TEST(SshPublicLook, IsWhereItTellsSomething) {
    const auto plan = [](std::string_view line, std::string address, std::string version = "OpenSSH_9.2p1") {
        return plan_public_look(*parse_remote_forward(line), {.address = std::move(address), .version = std::move(version), .ports = {}});
    };
    EXPECT_EQ(plan("*:80:a:1", "192.0.2.1:22"), (PublicLookPlan{"192.0.2.1", true}));
    EXPECT_EQ(plan("0.0.0.0:80:a:1", "[2001:db8::1]:22"), (PublicLookPlan{"2001:db8::1", true}));
    EXPECT_EQ(plan("192.0.2.9:80:a:1", "192.0.2.1:22"), (PublicLookPlan{"192.0.2.9", true}));
    EXPECT_EQ(plan("home.example.org:80:a:1", "192.0.2.1:22"), (PublicLookPlan{"192.0.2.1", true}));
    EXPECT_EQ(plan("127.0.0.1:80:a:1", "192.0.2.1:22"), (PublicLookPlan{"192.0.2.1", false}));
    EXPECT_EQ(plan("80:a:1", "127.0.0.1:22"), std::nullopt);
    EXPECT_EQ(plan("*:80:a:1", ""), std::nullopt);
    EXPECT_EQ(plan("*:80:a:1", "192.0.2.1:22", "Sallyport"), std::nullopt);
}

TEST(SshMemory, RemembersOverRestarts) {
    const test::TemporaryFolder folder;
    const auto state = StateFolder::open(folder.path());
    ASSERT_TRUE(state);
    {
        auto memory = SshMemory::load(*state);
        ASSERT_TRUE(memory);
        EXPECT_FALSE(memory->force_keygen_seen());
        EXPECT_TRUE(memory->set_force_keygen_seen(true));
        EXPECT_TRUE(memory->note_worked("ssh://home@a.example 127.0.0.1:8123"));
    }
    auto memory = SshMemory::load(*state);
    ASSERT_TRUE(memory);
    EXPECT_TRUE(memory->force_keygen_seen());
    EXPECT_TRUE(memory->has_worked("ssh://home@a.example 127.0.0.1:8123"));
    EXPECT_FALSE(memory->has_worked("ssh://home@b.example 127.0.0.1:8123"));
    ASSERT_TRUE(state->write("ssh.json", "nonsense"));
    EXPECT_FALSE(SshMemory::load(*state));
}

}  // namespace
}  // namespace sallyport
