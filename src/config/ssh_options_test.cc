#include "config/ssh_options.h"

#include <gmock/gmock.h>

namespace sallyport {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using namespace std::chrono_literals;

SshOptions read(std::string_view text) {
    auto options = parse_ssh_options(text);
    EXPECT_TRUE(options) << text << ": " << options.error().detail;
    return options ? std::move(*options) : SshOptions{};
}

TEST(SshOptions, SplitsAsAShell) {
    EXPECT_THAT(*split_words(R"( a  "b c" 'd "e' f\ g "" "x\"y" )"), ElementsAre("a", "b c", "d \"e", "f g", "", "x\"y"));
    EXPECT_FALSE(split_words("\"open"));
}

TEST(SshOptions, TakesWhatTheAddOnsHaveByDefault) {
    for (const std::string_view text : {"", "-v", "-N -v", "-vvv", "-N -T -o BatchMode=yes", "-M 0 -N", "-M0", "-tt", "-o LogLevel=DEBUG3",
                                        "-o Compression=no -o TCPKeepAlive=yes", "-o ControlMaster=no"}) {
        const SshOptions options = read(text);
        EXPECT_THAT(options.only_ssh, IsEmpty()) << text;
        EXPECT_THAT(options.words, IsEmpty()) << text;
    }
}

TEST(SshOptions, UnderstandsWhatItDoesItself) {
    const SshOptions options = read("-o ServerAliveInterval=10 -oServerAliveCountMax=4 -o 'ConnectTimeout 1m5s' -p 2222 -l home -i /keys/id "
                                    "-R 127.0.0.1:1883:mqtt:1883 -o \"UserKnownHostsFile=/etc/hosts_known\" -o StrictHostKeyChecking=yes");
    EXPECT_THAT(options.only_ssh, IsEmpty());
    EXPECT_EQ(options.alive_interval, 10s);
    EXPECT_EQ(options.alive_count, 4u);
    EXPECT_EQ(options.connect_timeout, 65s);
    EXPECT_EQ(options.port, 2222);
    EXPECT_EQ(options.user, "home");
    EXPECT_EQ(options.identity_file, "/keys/id");
    EXPECT_EQ(options.known_hosts_file, "/etc/hosts_known");
    EXPECT_EQ(options.host_keys, HostKeyPolicy::known_only);
    EXPECT_THAT(options.forwards, ElementsAre(RemoteForward{"127.0.0.1", 1883, "mqtt", 1883}));
    EXPECT_EQ(read("-o serveraliveinterval=5 -o ServerAliveInterval=9").alive_interval, 5s) << "the first counts, whatever its letters";
}

TEST(SshOptions, SaysWhatItReadsDifferently) {
    const SshOptions options = read("-o StrictHostKeyChecking=no -o ExitOnForwardFailure=no -o UserKnownHostsFile=/dev/null");
    EXPECT_EQ(options.host_keys, HostKeyPolicy::accept_new);
    EXPECT_EQ(options.known_hosts_file, "");
    EXPECT_THAT(options.warnings, ElementsAre(HasSubstr("accept-new"), HasSubstr("ExitOnForwardFailure")));
}

TEST(SshOptions, LeavesTheRestToSsh) {
    EXPECT_THAT(read("-J jump -4 -C").only_ssh, ElementsAre("-J", "-4", "-C"));
    EXPECT_THAT(read("-v -J jump -o ServerAliveInterval=5 -o 'ProxyCommand nc %h %p'").words, ElementsAre("-J", "jump", "-o", "ProxyCommand=nc %h %p"));
    EXPECT_THAT(read("-o Compression=yes -L 80:a:80").only_ssh, ElementsAre("Compression", "-L"));
    EXPECT_THAT(read("-vC4").words, ElementsAre("-C", "-4"));
    EXPECT_THAT(read("-o Ciphers=aes256-gcm@openssh.com").only_ssh, ElementsAre("Ciphers"));
}

TEST(SshOptions, RefusesWhatCantBeMeant) {
    for (const std::string_view text : {"relay.example.org", "-f -N", "-o", "-p", "-p x", "-p 1 -p 2", "--help", "-Z", "-o Key", "-o ServerAliveInterval=x",
                                        "-o ServerAliveCountMax=0", "-o ConnectTimeout=2000000", "-R 8123", "-o StrictHostKeyChecking=perhaps", "-V", "-s", "'"})
        EXPECT_FALSE(parse_ssh_options(text)) << text;
    EXPECT_FALSE(parse_ssh_options(std::string(9000, ' ')));
}

}  // namespace
}  // namespace sallyport
